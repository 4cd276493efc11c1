"""Results of several labels an image as text for a terminal: a line a label."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.results.summary import conditions_of, sample_of
from densezoo.types import LabelAreas, LabelAuc, LabelResult

_NAME = 30  # columns of a label's name, in a table that fits 80


def label_summary(result: LabelResult) -> str:
    """A few lines on a result: model, dataset, protocol, the area of each label, speed.

    Args:
        result: the result.
    """
    head, *rest = conditions_of(result)
    return "\n".join([head, *sample_of([result]), *label_table(result.labels, result.mean_auc), *rest])


def areas_summary(areas: LabelAreas) -> str:
    """A line on the images that were predicted, and the area of each label.

    Args:
        areas: of the labels.
    """
    left_out = f"; {areas.left_out:,} that can't be read left out" if areas.left_out else ""
    head = f"area under each label's ROC curve, {areas.num_images:,} picture{'s' * (areas.num_images != 1)}{left_out}"
    return "\n".join([head, *label_table(areas.labels, areas.mean_auc)])


def label_table(labels: Sequence[LabelAuc], mean: float | None) -> list[str]:
    """Lines of a table: the area under each label's ROC curve with its interval, or why there is none.

    Args:
        labels: in the order of the network's logits.
        mean: over those that have an area.
    """
    width = max(len("label"), *(min(len(label.name), _NAME) for label in labels))
    lines = [f"  {'label':{width}}     AUC  95 % interval         with  without"]
    for label in labels:
        name = label.name if len(label.name) <= _NAME else f"{label.name[: _NAME - 3]}..."
        found = "     -  all images have it" if label.positives else "     -  no image has it"
        if label.auc is not None and label.interval95 is not None:
            found = f"{label.auc:6.4f}  {label.interval95[0]:.4f} to {label.interval95[1]:.4f}"
        lines.append(f"  {name:{width}}  {found:26}{label.positives:8,} {label.negatives:8,}".rstrip())
    measured = sum(label.auc is not None for label in labels)
    if mean is not None:
        lines.append(f"  {'mean':{width}}  {mean:6.4f}  over {measured} of {len(labels)} labels")
    return lines
