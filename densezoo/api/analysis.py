"""Computes every measure of a file of predictions, and compares two runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.errors import ConfigError
from densezoo.evaluation.comparison import compare_runs
from densezoo.evaluation.predictions import read_predictions
from densezoo.evaluation.report import comparison_report, measures_report
from densezoo.files import PLOT, written_as
from densezoo.results.plots import reliability_diagram


def analyze(
    path: str | Path, other: str | Path | None = None, *, topk: Sequence[int] = (1, 5), plot: str | Path | None = None
) -> str:
    """A report on every measure of a file of predictions, and on whether one of two runs is better than the other.

    Args:
        path, other: parquet files of `evaluate_protocols`; other None: no comparison.
        topk: the k of the top-k accuracies.
        plot: .png, .pdf or .svg file for the reliability diagram.

    Raises:
        EvaluationError: a file can't be read; the two are over different images.
        ConfigError: a k that is not 1 to the number of classes; an unknown extension of the plot.
        ResultError: the diagram can't be drawn.
    """
    if plot:
        written_as(Path(plot), "plot", PLOT)
    first = read_predictions(path)
    measures, num_classes = first.measures(), first.num_classes
    if not all(1 <= k <= num_classes for k in topk):
        raise ConfigError(f"--topk is {list(topk)}; expected numbers from 1 to {num_classes}, the number of classes")
    text = measures_report(first.facts, measures, topk)
    if plot:
        reliability_diagram(Path(plot), measures.reliability(), f"{first.facts.model}, {first.facts.protocol}")
    if other:
        second = read_predictions(other)
        text += "\n\n" + comparison_report(first.facts, second.facts, compare_runs(first, second))
    return text
