"""Computes every measure of a file of predictions, and compares two runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.api.labels import names_of
from densezoo.errors import ConfigError
from densezoo.evaluation.comparison import compare_runs
from densezoo.evaluation.label_predictions import LabelPredictions, read_label_predictions
from densezoo.evaluation.metrics import Measures
from densezoo.evaluation.multi_label import mean_area
from densezoo.evaluation.predictions import read_predictions
from densezoo.evaluation.report import comparison_report, labels_report, measures_report, measures_values
from densezoo.files import PLOT, written_as
from densezoo.results.figures import get_theme
from densezoo.results.plots import confusion_matrix, reliability_diagram

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from densezoo.api.arguments import AnalysisArguments


@dataclass(frozen=True)
class Analysis:
    """What a file of predictions shows.

    Args:
        text: for a person.
        values: the same for a program, and more: JSON values and dataclasses.
    """

    text: str
    values: Mapping[str, object]


def analyze(path: str | Path, other: str | Path | None = None, **options: Unpack[AnalysisArguments]) -> str:
    """A report on every measure of a file of predictions, and on whether one of two runs is better than the other.

    Args:
        path: parquet file of predictions.
        other: that of another run over the same images; None: no comparison.
        options: further arguments of `analysis`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """
    return analysis(path, other, **options).text


def analysis(
    path: str | Path,
    other: str | Path | None = None,
    *,
    topk: Sequence[int] | None = None,
    plot: str | Path | None = None,
    confusion: str | Path | None = None,
    class_names: str | Path | Sequence[str] | None = None,
    theme: str = "light",
) -> Analysis:
    """Every measure of a file of predictions; of two, whether one run is better than the other.

    Args:
        path, other: parquet files of `evaluate_protocols`, or path one of `evaluate_labels`; other None: no comparison.
        topk: the k of the top-k accuracies; None: 1 and 5.
        plot: .png, .pdf or .svg file for the reliability diagram.
        confusion: such a file for the matrix of which classes are taken for which.
        class_names: of the outputs in their order; or where they stand: a dataset's name, a file of a name a line, a
            folder of class folders. None: those that the weights stated, or the dataset's.
        theme: of the diagrams: "light" or "dark".

    Raises:
        EvaluationError: a file can't be read; the two are over different images, or of several labels an image.
        ConfigError: a k that is not 1 to the number of classes; other than one name a class; an unknown extension of a
            diagram; what there is not of several labels an image.
        ResultError, UnknownNameError: a diagram can't be drawn; there is no such theme.
    """
    get_theme(theme)
    for drawn in (plot, confusion):
        if drawn:
            written_as(Path(drawn), "plot", PLOT)
    if (labels := read_label_predictions(path)) is not None:
        given = {"second file": other, "--topk": topk, "--class-names": class_names}
        return _of_labels(labels, {**given, "--plot": plot, "--confusion": confusion})
    first, topk = read_predictions(path), (1, 5) if topk is None else topk
    num_classes = first.num_classes
    if not all(1 <= k <= num_classes for k in topk):
        raise ConfigError(f"--topk is {list(topk)}; expected numbers from 1 to {num_classes}, the number of classes")
    stated = {"class_names": list(first.class_names)}
    names = names_of(class_names, None, first.facts.dataset, stated, num_classes)
    measures = first.measures()
    text = measures_report(first.facts, measures, topk, names if class_names is not None or first.class_names else None)
    values = {**measures_values(first.facts, measures, topk, names), "comparison": None}
    _draw(plot, confusion, f"{first.facts.model}, {first.facts.protocol}", measures, names, theme)
    if other:
        second = read_predictions(other)
        comparison = compare_runs(first, second)
        text += "\n\n" + comparison_report(first.facts, second.facts, comparison)
        values["comparison"] = {"with": second.facts, **asdict(comparison)}
    return Analysis(text, {**values, "plot": plot, "confusion": confusion})


def _draw(
    plot: str | Path | None,
    confusion: str | Path | None,
    title: str,
    measures: Measures,
    names: Sequence[str],
    theme: str,
) -> None:
    if plot:
        reliability_diagram(Path(plot), measures.reliability(), title, theme, measures.calibration_error())
    if confusion:
        confusion_matrix(Path(confusion), measures.table, names, title, theme)


def _of_labels(predictions: LabelPredictions, options: Mapping[str, object]) -> Analysis:
    """The area of each label.

    Args:
        predictions: of several labels an image.
        options: that mean nothing here, and what is given for them.

    Raises:
        ConfigError: something is.
    """
    if refused := [option for option, value in options.items() if value is not None]:
        raise ConfigError(
            f"{predictions.path}: its images have several labels each, for which there is no {refused[0]}; leave it out"
        )
    labels, number = predictions.labels(), len(predictions.logits)
    values = {"facts": predictions.facts, "images": number, "labels": labels, "mean_auc": mean_area(labels)}
    text = labels_report(predictions.facts, labels, number, predictions.truncated)
    return Analysis(text, {**values, "truncated": predictions.truncated})
