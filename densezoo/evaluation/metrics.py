"""Logits -> one record an image -> integer measures -> percent.

Every sum is a whole number (losses and confidences in steps of 2^-32), so that measures add up in any order: one
process, many of them, and a run that was killed and resumed give the same to the last digit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezoo.errors import EvaluationError

Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution
NUM_BINS = 15  # of confidence, equally wide; Guo et al. (2017), On calibration of modern neural networks
UNREADABLE = -1  # the rank of an image that could not be read and is counted wrong
_STEP = 2.0**-32

#: What is kept of an image under one protocol. ``rank``: how many classes are placed before the label (0: right).
#: ``classes`` and ``probabilities``: the first five, filled up with -1 and 0. ``loss``: cross-entropy, nats.
#: ``content``: the first 8 bytes of the image's sha256. ``truncated``: its end is missing and was filled in.
RECORD = np.dtype(
    [
        ("protocol", "<i2"),
        ("index", "<i8"),
        ("label", "<i4"),
        ("rank", "<i4"),
        ("loss", "<f4"),
        ("classes", "<i4", (5,)),
        ("probabilities", "<f4", (5,)),
        ("content", "<u8"),
        ("truncated", "?"),
    ]
)
Records = NDArray[np.void]  # of RECORD


def score(
    logits: Tensor, labels: Tensor, indices: Tensor, protocol: int = 0, classes: Sequence[int] | None = None
) -> Records:
    """The records of one batch.

    Of equal logits the lower class comes first, on every device, which ``torch.topk`` doesn't promise.

    Args:
        logits: (N, num_classes).
        labels: (N,), whole numbers; or (N, K) with several right answers, negative where there are fewer: the best
            placed one counts.
        indices: (N,) into the image set.
        protocol: its place among those that are evaluated.
        classes: the only ones that compete; None: all.

    Raises:
        EvaluationError: a logit is NaN or infinite.
    """
    logits = logits.double().cpu()
    if not torch.isfinite(logits).all():
        raise EvaluationError(
            "the model's output holds NaN or infinity: its weights or the device's arithmetic are broken"
        )
    if classes is not None:
        logits = only_classes(logits, classes)
    if labels.ndim == 2:
        placed = logits.gather(1, labels.clamp(min=0)).masked_fill(labels < 0, -math.inf)
        labels = labels.gather(1, placed.argmax(1, keepdim=True)).squeeze(1)
    order = logits.sort(stable=True, dim=1, descending=True).indices
    log_probabilities = logits.log_softmax(1)
    first = order[:, :5]
    records = _empty_records(indices, labels, protocol)
    records["rank"] = (order == labels[:, None]).int().argmax(1)
    losses = -log_probabilities.gather(1, labels[:, None]).squeeze(1)
    if (losses > torch.finfo(torch.float32).max).any():
        raise EvaluationError(
            f"a loss is {losses.max():.1e}, more than float32 holds: the model's weights or the device's arithmetic "
            "are broken"
        )
    records["loss"] = losses
    records["classes"][:, : first.shape[1]] = first
    records["probabilities"][:, : first.shape[1]] = log_probabilities.gather(1, first).exp()
    return records


def counted_wrong(indices: Tensor, labels: Tensor, protocol: int = 0) -> Records:
    """The records of images that can't be read: no class, no loss, not right."""
    return _empty_records(indices, labels if labels.ndim == 1 else labels[:, 0], protocol)


def _empty_records(indices: Tensor, labels: Tensor, protocol: int) -> Records:
    records = np.zeros(len(indices), RECORD)
    records["protocol"], records["index"], records["label"] = protocol, indices, labels
    records["rank"], records["loss"], records["classes"] = UNREADABLE, np.nan, -1
    return records


@dataclass(frozen=True)
class Counts:
    """How many images were scored, and how many had their label first or among the first five."""

    num_samples: int = 0
    correct1: int = 0
    correct5: int = 0

    def percentages(self) -> dict[str, float]:
        """{"top1": percent, "top5": percent}."""
        return {"top1": percent(self.correct1, self.num_samples), "top5": percent(self.correct5, self.num_samples)}


@dataclass
class Measures:
    """Everything that is measured under one protocol, as sums over images; ``a + b`` is that of both.

    Its size is that of the classes squared, and four bytes an image.

    Args:
        seen: (images of the dataset,) how often each was scored; 1 everywhere in a whole run.
        totals: (num_classes,) images of each label.
        placed: (num_classes,) images whose label had that rank.
        table: (num_classes, num_classes) images by label and predicted class.
        bins: (NUM_BINS, 2) images and right ones among them by confidence, bin b from b/15, not included, to (b+1)/15.
        confidence: a bin's sum of confidences, in steps of 2^-32.
        loss: the sum, in steps of 2^-32.
        unreadable: indices of images that were counted wrong because they can't be read.
        truncated: indices of images whose end is missing, and which the protocol's library read all the same.
    """

    seen: NDArray[np.int32]
    totals: NDArray[np.int64]
    placed: NDArray[np.int64]
    table: NDArray[np.int64]
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros((NUM_BINS, 2), np.int64))
    confidence: NDArray[np.int64] = field(default_factory=lambda: np.zeros(NUM_BINS, np.int64))
    loss: int = 0
    unreadable: list[int] = field(default_factory=list)
    truncated: list[int] = field(default_factory=list)

    @classmethod
    def empty(cls, num_classes: int, num_images: int) -> Measures:
        """Of no image yet."""
        return cls(
            seen=np.zeros(num_images, np.int32),
            totals=np.zeros(num_classes, np.int64),
            placed=np.zeros(num_classes, np.int64),
            table=np.zeros((num_classes, num_classes), np.int64),
        )

    def add(self, records: Records) -> None:
        """Take in the records of some images."""
        np.add.at(self.seen, records["index"], 1)
        np.add.at(self.totals, records["label"], 1)
        unreadable = records["rank"] == UNREADABLE
        self.unreadable += records["index"][unreadable].tolist()
        self.truncated += records["index"][records["truncated"]].tolist()
        read = records[~unreadable]
        predicted, confidence = read["classes"][:, 0], read["probabilities"][:, 0].astype(np.float64)
        np.add.at(self.placed, read["rank"], 1)
        np.add.at(self.table, (read["label"], predicted), 1)
        places = np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)
        np.add.at(self.bins, (places, 0), 1)
        np.add.at(self.bins, (places, 1), read["rank"] == 0)
        np.add.at(self.confidence, places, np.rint(confidence / _STEP).astype(np.int64))
        self.loss += sum(round(loss / _STEP) for loss in read["loss"].tolist())

    def __add__(self, other: Measures) -> Measures:
        return Measures(*(getattr(self, name.name) + getattr(other, name.name) for name in fields(self)))

    def correct(self, k: int) -> int:
        """Images with their label among the first k classes; with k or fewer classes every image that was read."""
        return int(self.placed[:k].sum())

    def counts(self) -> Counts:
        """The integers that a result is made of."""
        return Counts(int(self.totals.sum()), self.correct(1), self.correct(5))

    def mean_loss(self) -> float | None:
        """Mean cross-entropy in nats over the images that were read; None: there are none."""
        read = int(self.placed.sum())
        return self.loss * _STEP / read if read else None

    def reliability(self) -> list[tuple[int, float, float]]:
        """(images, mean confidence, accuracy), both 0 to 1, of each bin of confidence that has images."""
        rows = zip(self.bins.tolist(), self.confidence.tolist())
        return [(total, sums * _STEP / total, right / total) for (total, right), sums in rows if total]

    def calibration_error(self) -> float | None:
        """Expected calibration error, percent: |confidence - accuracy| averaged over the images that were read."""
        read = int(self.placed.sum())
        if not read:
            return None
        return 100.0 * math.fsum(total * abs(mean - right) for total, mean, right in self.reliability()) / read

    def per_class(self) -> list[tuple[int, int, int]]:
        """(class, right, images) of each class that has images."""
        right = np.diagonal(self.table)
        return [(i, int(right[i]), int(self.totals[i])) for i in np.flatnonzero(self.totals).tolist()]

    def confusions(self, most: int) -> list[tuple[int, int, int]]:
        """(label, predicted class, images): the pairs that are taken for each other most often, at most ``most``."""
        wrong = self.table.copy()
        np.fill_diagonal(wrong, 0)
        pairs = np.argwhere(wrong).tolist()
        ordered = sorted(pairs, key=lambda pair: (-wrong[tuple(pair)], pair))
        return [(label, predicted, int(wrong[label, predicted])) for label, predicted in ordered[:most]]


def measure(records: Iterable[Records], num_classes: int, num_images: int, num_protocols: int = 1) -> list[Measures]:
    """The measures of each protocol, in one pass over records that come in parts."""
    measures = [Measures.empty(num_classes, num_images) for _ in range(num_protocols)]
    for part in records:
        for number, measured in enumerate(measures):
            measured.add(part[part["protocol"] == number])
    return measures


def only_classes(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """The logits (N, num_classes) with every other class out of the competition, at minus infinity."""
    out = torch.full_like(logits, -math.inf)
    out[:, list(classes)] = logits[:, list(classes)]
    return out


def percent(correct: int, total: int) -> float:
    """100 x correct / total."""
    return 100.0 * correct / total


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, in percent.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212.
    """
    p, z2 = correct / total, Z95 * Z95
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return 100.0 * max(0.0, centre - half), 100.0 * min(1.0, centre + half)
