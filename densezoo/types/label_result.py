"""What was measured of a network that gives an image several labels, each with a yes or no of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from densezoo.types.result import Coverage, EvalResult, RunFacts
from densezoo.types.shown import as_html


@dataclass(frozen=True)
class LabelAuc:
    """How well a network tells the images that have a label from those that haven't.

    Args:
        name: of the label.
        positives, negatives: images with and without it.
        auc: area under the ROC curve, 0 to 1; equal logits count half. None: all images have the label, or none, and
            there is no area.
        interval95: DeLong's 95 % interval of it; None as well.
    """

    name: str
    positives: int
    negatives: int
    auc: float | None
    interval95: tuple[float, float] | None


@dataclass(frozen=True, kw_only=True)
class LabelResult(RunFacts):
    """One measurement of a network of several labels an image; one JSON file in ``results/DATASET/multi-label/``.

    There is no top-1 in it: it is another type than `EvalResult`, so that no table takes the one for the other.

    Args:
        num_samples: images scored.
        labels: one of each of the network's labels, in the order of its logits.
        mean_auc: over the labels that have an area, each with the same weight; None: none has.
        seconds: wall time of the evaluation loop, over all parts of a run that was resumed.
        coverage: what became of every id.
    """

    num_samples: int
    labels: tuple[LabelAuc, ...]
    mean_auc: float | None
    seconds: float
    coverage: Coverage

    def __repr__(self) -> str:
        mean = "no AUC" if self.mean_auc is None else f"mean AUC {self.mean_auc:.4f}"
        measured = f"{mean} of {len(self.labels)} labels, {self.images(self.num_samples)}"
        return f"<LabelResult {self.model} on {self.dataset} under {self.protocol_label}: {measured}>"

    def _repr_html_(self) -> str:
        """What was measured, for notebooks."""
        rows = {"mean AUC": None if self.mean_auc is None else f"{self.mean_auc:.4f}"}
        for label in self.labels:
            low, high = label.interval95 or (0.0, 0.0)
            area = f"{label.auc:.4f} ({low:.4f} to {high:.4f})" if label.auc is not None else "no AUC"
            rows[label.name] = f"{area}, {label.positives:,} images have it"
        rows |= {"images": self.images(self.num_samples).replace(" images", ""), "protocol": self.protocol_label}
        return as_html(self.model, rows)


@dataclass(frozen=True)
class LabelAreas:
    """The area of each label over the images that were predicted; nothing of it is stored.

    Args:
        num_images: that the areas are over, each once.
        left_out: further images, which have no logits because they can't be read.
        labels: one of each of the network's labels, in the order of its logits.
        mean_auc: over the labels that have an area, each with the same weight; None: none has.
    """

    num_images: int
    left_out: int
    labels: tuple[LabelAuc, ...]
    mean_auc: float | None


Measurement: TypeAlias = EvalResult | LabelResult  # of one label an image, or of several
