"""Computes every measure of a file of predictions, and compares two runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.api.labels import names_of
from densezoo.errors import ConfigError
from densezoo.evaluation.comparison import compare_runs
from densezoo.evaluation.predictions import read_predictions
from densezoo.evaluation.report import comparison_report, measures_report
from densezoo.files import PLOT, written_as
from densezoo.results.figures import get_theme
from densezoo.results.plots import confusion_matrix, reliability_diagram


def analyze(
    path: str | Path,
    other: str | Path | None = None,
    *,
    topk: Sequence[int] = (1, 5),
    plot: str | Path | None = None,
    confusion: str | Path | None = None,
    class_names: str | Path | Sequence[str] | None = None,
    theme: str = "light",
) -> str:
    """A report on every measure of a file of predictions, and on whether one of two runs is better than the other.

    Args:
        path, other: parquet files of `evaluate_protocols`; other None: no comparison.
        topk: the k of the top-k accuracies.
        plot: .png, .pdf or .svg file for the reliability diagram.
        confusion: such a file for the matrix of which classes are taken for which.
        class_names: as of `densezoo.Classifier`; None: the dataset's.
        theme: of the diagrams: "light" or "dark".

    Raises:
        EvaluationError: a file can't be read; the two are over different images.
        ConfigError: a k that is not 1 to the number of classes; other than one name a class; an unknown extension of a
            diagram.
        ResultError: a diagram can't be drawn.
        UnknownNameError: there is no such theme.
    """
    get_theme(theme)
    for drawn in (plot, confusion):
        if drawn:
            written_as(Path(drawn), "plot", PLOT)
    first = read_predictions(path)
    num_classes = first.num_classes
    if not all(1 <= k <= num_classes for k in topk):
        raise ConfigError(f"--topk is {list(topk)}; expected numbers from 1 to {num_classes}, the number of classes")
    names = names_of(class_names, None, first.facts.dataset, {}, num_classes)
    measures = first.measures()
    text = measures_report(first.facts, measures, topk, None if class_names is None else names)
    title = f"{first.facts.model}, {first.facts.protocol}"
    if plot:
        reliability_diagram(Path(plot), measures.reliability(), title, theme, measures.calibration_error())
    if confusion:
        confusion_matrix(Path(confusion), measures.table, names, title, theme)
    if other:
        second = read_predictions(other)
        text += "\n\n" + comparison_report(first.facts, second.facts, compare_runs(first, second))
    return text
