"""Measures, and the comparison of two runs, as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.data.datasets import called
from densezoo.evaluation.comparison import Comparison
from densezoo.evaluation.metrics import Measures, percent, wilson_interval
from densezoo.evaluation.multi_label import mean_area
from densezoo.results.label_summary import label_table
from densezoo.types import LabelAuc, RunFacts

SHOWN = 10  # classes and pairs of classes at most
SIGNIFICANT = 0.05


def measures_report(
    facts: RunFacts, measures: Measures, topk: Sequence[int], names: Sequence[str] | None = None
) -> str:
    """Accuracies with their intervals, loss, calibration, the worst classes, the most frequent confusions.

    Args:
        facts: of the run.
        measures: of the run.
        topk: the k of the accuracies.
        names: of the classes; None: the dataset's.
    """

    def class_of(label: int) -> str:
        if names is None:
            return called(facts.dataset, label)
        return str(label) if names[label] == str(label) else f"{label} ({names[label]})"

    total = measures.counts().num_samples
    lines = [f"{facts.model} on {facts.dataset}, protocol {facts.protocol}, {facts.images(total)}"]
    for k in topk:
        correct, (low, high) = measures.correct(k), wilson_interval(measures.correct(k), total)
        shares = f"top-{k} {percent(correct, total):.2f} %  (95 % interval {low:.2f} to {high:.2f})"
        lines.append(f"  {shares}  {correct} of {total} images")
    loss, error = measures.mean_loss(), measures.calibration_error()
    if loss is not None and error is not None:
        lines.append(f"  loss {loss:.4f} nats, expected calibration error {error:.2f} %")
    if measures.unreadable:
        lines.append(f"  {len(measures.unreadable)} images can't be read and are counted wrong")
    if measures.truncated:
        lines.append(f"  {len(measures.truncated)} images are truncated; their missing ends were filled in")
    worst = sorted(measures.per_class(), key=lambda row: (row[1] / row[2], row[0]))[:SHOWN]
    lines.append("  the worst classes:")
    for label, right, n in worst:
        lines.append(f"    class {class_of(label)}: {percent(right, n):.2f} %, {right} of {n} images")
    lines.append("  the most frequent confusions:")
    for label, other, n in measures.confusions(SHOWN):
        lines.append(f"    class {class_of(label)} taken for {class_of(other)}: {n} images")
    return "\n".join(lines)


def measures_values(
    facts: RunFacts, measures: Measures, topk: Sequence[int], names: Sequence[str]
) -> dict[str, object]:
    """The same as JSON values, with every class and every confusion, and the run's facts.

    Args:
        facts: of the run.
        measures: of the run.
        topk: the k of the accuracies.
        names: of the classes.
    """
    total = measures.counts().num_samples
    accuracies = [
        {
            "k": k,
            "percent": percent(measures.correct(k), total),
            "interval95": wilson_interval(measures.correct(k), total),
            "correct": measures.correct(k),
        }
        for k in topk
    ]
    return {
        "facts": facts,
        "images": total,
        "accuracies": accuracies,
        "loss": measures.mean_loss(),
        "calibration_error": measures.calibration_error(),
        "reliability": [
            {"images": n, "confidence": mean, "accuracy": right} for n, mean, right in measures.reliability()
        ],
        "unreadable": len(measures.unreadable),
        "truncated": len(measures.truncated),
        "classes": [
            {"class": label, "name": names[label], "correct": right, "images": n}
            for label, right, n in measures.per_class()
        ],
        "confusions": [
            {"label": label, "name": names[label], "predicted": other, "predicted_name": names[other], "images": n}
            for label, other, n in measures.confusions(total)
        ],
    }


def labels_report(facts: RunFacts, labels: Sequence[LabelAuc], num_images: int, truncated: int) -> str:
    """The area of each label of a run, with its interval.

    Args:
        facts: of the run.
        labels: of the run.
        num_images: that were scored.
        truncated: images whose end was filled in.
    """
    lines = [f"{facts.model} on {facts.dataset}, protocol {facts.protocol}, {facts.images(num_images)}"]
    lines += label_table(labels, mean_area(labels))
    if truncated:
        lines.append(f"  {truncated} images are truncated; their missing ends were filled in")
    return "\n".join(lines)


def comparison_report(first: RunFacts, second: RunFacts, comparison: Comparison) -> str:
    """The difference of two runs, and whether it is more than chance.

    Args:
        first, second: facts of the runs.
        comparison: of the runs.
    """
    total = comparison.both + comparison.only_first + comparison.only_second + comparison.neither
    difference = percent(comparison.only_first - comparison.only_second, total)
    is_significant = comparison.p_value < SIGNIFICANT
    better = "the first" if difference > 0 else "the second"
    verdict = f"{better} is really better" if is_significant else "the difference may be chance"
    return "\n".join(
        [
            f"first:  {first.model}, protocol {first.protocol}",
            f"second: {second.model}, protocol {second.protocol}",
            f"  top-1 of the first minus the second's: {difference:+.2f} points",
            f"  right in both {comparison.both}, only in the first {comparison.only_first}, only in the second "
            f"{comparison.only_second}, in neither {comparison.neither}",
            f"  McNemar: chi2 {comparison.chi2:.2f}, exact p {comparison.p_value:.3g}: {verdict} (level {SIGNIFICANT})",
        ]
    )
