"""Logits -> one record for each image -> integer measures -> percent.

Every sum is a whole number (losses and confidences in steps of 2^-32), so that the order of summation doesn't matter:
one process, several, and a run that was killed and resumed give the same result to the last digit.
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

#: The record of an image under one protocol. ``rank``: number of classes with a higher logit than the label (0: right).
#: ``classes`` and ``probabilities``: the first five, padded with -1 and 0. ``loss``: cross-entropy, nats.
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

    Of equal logits the lower class comes first on every device, which ``torch.topk`` doesn't promise.

    Args:
        logits: (N, num_classes).
        labels: (N,), whole numbers; or (N, K) right answers, padded with negative numbers: the one with the highest
            logit counts.
        indices: (N,) into the image set.
        protocol: its number among the evaluated protocols.
        classes: the only classes that count as answers; None: all.

    Raises:
        EvaluationError: a logit is NaN or infinite.
    """
    logits = logits.double().cpu()
    check_finite(logits)
    if classes is not None:
        logits = mask_other_classes(logits, classes)
    if labels.ndim == 2:
        placed = logits.gather(1, labels.clamp(min=0)).masked_fill(labels < 0, -math.inf)
        labels = labels.gather(1, placed.argmax(1, keepdim=True)).squeeze(1)
    order = logits.sort(stable=True, dim=1, descending=True).indices
    log_probabilities = logits.log_softmax(1)
    first = order[:, :5]
    records = _empty_records(indices, labels, protocol)
    records["rank"] = (order == labels[:, None]).int().argmax(1).numpy()
    losses = -log_probabilities.gather(1, labels[:, None]).squeeze(1)
    if (losses > torch.finfo(torch.float32).max).any():
        raise EvaluationError(
            f"a loss is {losses.max():.1e}, more than float32 holds: the model's weights or the device's arithmetic "
            "are broken"
        )
    records["loss"] = losses.numpy()
    records["classes"][:, : first.shape[1]] = first.numpy()
    records["probabilities"][:, : first.shape[1]] = log_probabilities.gather(1, first).exp().numpy()
    return records


def check_finite(logits: Tensor) -> None:
    """Refuse logits of which one is NaN or infinite.

    Args:
        logits: of any shape.

    Raises:
        EvaluationError: one is.
    """
    if not torch.isfinite(logits).all():
        raise EvaluationError(
            "the model's output holds NaN or infinity: its weights or the device's arithmetic are broken"
        )


def counted_wrong(indices: Tensor, labels: Tensor, protocol: int = 0) -> Records:
    """The records of images that can't be read: no class, no loss, not right.

    Args:
        indices: (N,) into the image set.
        labels: (N,), whole numbers; or (N, K) right answers, padded with negative numbers.
        protocol: its number among the evaluated protocols.
    """
    return _empty_records(indices, labels if labels.ndim == 1 else labels[:, 0], protocol)


def _empty_records(indices: Tensor, labels: Tensor, protocol: int) -> Records:
    records = np.zeros(len(indices), RECORD)
    records["protocol"], records["index"], records["label"] = protocol, indices.numpy(), labels.numpy()
    records["rank"], records["loss"], records["classes"] = UNREADABLE, np.nan, -1
    return records


@dataclass(frozen=True)
class Counts:
    """Numbers of images.

    Args:
        num_samples: scored or counted wrong.
        correct1, correct5: with the label first, or among the first five.
    """

    num_samples: int = 0
    correct1: int = 0
    correct5: int = 0

    def percentages(self) -> dict[str, float]:
        """{"top1": percent, "top5": percent}."""
        return {"top1": percent(self.correct1, self.num_samples), "top5": percent(self.correct5, self.num_samples)}


@dataclass
class Measures:
    """All measures under one protocol, as sums over images; ``a + b`` are the measures of both sets of images.

    They take memory for num_classes squared numbers, and four bytes for each image.

    Args:
        times_scored: (images of the dataset,) how often each was scored; 1 everywhere in a whole run.
        totals: (num_classes,) number of images by label.
        placed: (num_classes,) number of images by the rank of their label.
        table: (num_classes, num_classes) number of images by label and predicted class.
        bins: (NUM_BINS, 2) number of images and of right ones by confidence; bin b has those above b/15 up to (b+1)/15.
        confidence: (NUM_BINS,) sums of confidences, in steps of 2^-32.
        loss: the sum over all images, in steps of 2^-32.
        unreadable: indices of images that were counted wrong because they can't be read.
        truncated: indices of images whose end is missing and was filled in.
    """

    times_scored: NDArray[np.int32]
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
        """The measures of no image.

        Args:
            num_classes: of the network.
            num_images: of the dataset.
        """
        return cls(
            times_scored=np.zeros(num_images, np.int32),
            totals=np.zeros(num_classes, np.int64),
            placed=np.zeros(num_classes, np.int64),
            table=np.zeros((num_classes, num_classes), np.int64),
        )

    def add(self, records: Records) -> None:
        """Add the records of some images.

        Args:
            records: under this protocol.
        """
        np.add.at(self.times_scored, records["index"], 1)
        np.add.at(self.totals, records["label"], 1)
        unreadable = records["rank"] == UNREADABLE
        self.unreadable += records["index"][unreadable].tolist()
        self.truncated += records["index"][records["truncated"]].tolist()
        scored = records[~unreadable]
        predicted, confidence = scored["classes"][:, 0], scored["probabilities"][:, 0].astype(np.float64)
        np.add.at(self.placed, scored["rank"], 1)
        np.add.at(self.table, (scored["label"], predicted), 1)
        bins = np.clip(np.ceil(confidence * NUM_BINS).astype(np.int64) - 1, 0, NUM_BINS - 1)
        np.add.at(self.bins, (bins, 0), 1)
        np.add.at(self.bins, (bins, 1), scored["rank"] == 0)
        np.add.at(self.confidence, bins, np.rint(confidence / _STEP).astype(np.int64))
        self.loss += sum(round(loss / _STEP) for loss in scored["loss"].tolist())

    def __add__(self, other: Measures) -> Measures:
        return Measures(*(getattr(self, name.name) + getattr(other, name.name) for name in fields(self)))

    def correct(self, k: int) -> int:
        """The number of images with their label among the first k classes; with k or fewer classes, all readable ones.

        Args:
            k: 1 or more.
        """
        return int(self.placed[:k].sum())

    def counts(self) -> Counts:
        """The counts that a result is made of."""
        return Counts(int(self.totals.sum()), self.correct(1), self.correct(5))

    def mean_loss(self) -> float | None:
        """Mean cross-entropy in nats over the readable images; None: there are none."""
        readable = int(self.placed.sum())
        return self.loss * _STEP / readable if readable else None

    def reliability(self) -> list[tuple[int, float, float]]:
        """(images, mean confidence 0 to 1, accuracy 0 to 1) of each bin of confidence that has images."""
        rows = zip(self.bins.tolist(), self.confidence.tolist())
        return [(total, sums * _STEP / total, right / total) for (total, right), sums in rows if total]

    def calibration_error(self) -> float | None:
        """Expected calibration error, percent: |confidence - accuracy| of the bins, averaged over readable images."""
        readable = int(self.placed.sum())
        if not readable:
            return None
        return 100.0 * math.fsum(total * abs(mean - right) for total, mean, right in self.reliability()) / readable

    def per_class(self) -> list[tuple[int, int, int]]:
        """(class, right images, images) of each class that has images."""
        right = np.diagonal(self.table)
        return [(i, int(right[i]), int(self.totals[i])) for i in np.flatnonzero(self.totals).tolist()]

    def confusions(self, most: int) -> list[tuple[int, int, int]]:
        """(label, predicted class, images) of the most frequent confusions.

        Args:
            most: how many pairs to return at most.
        """
        wrong = self.table.copy()
        np.fill_diagonal(wrong, 0)
        pairs = np.argwhere(wrong).tolist()
        ordered = sorted(pairs, key=lambda pair: (-wrong[tuple(pair)], pair))
        return [(label, predicted, int(wrong[label, predicted])) for label, predicted in ordered[:most]]


def measure(records: Iterable[Records], num_classes: int, num_images: int, num_protocols: int = 1) -> list[Measures]:
    """The measures of each protocol, in one pass over the records.

    Args:
        records: of the images, in parts.
        num_classes: of the network.
        num_images: of the dataset.
        num_protocols: whose records there are.
    """
    measures = [Measures.empty(num_classes, num_images) for _ in range(num_protocols)]
    for part in records:
        for number, measured in enumerate(measures):
            measured.add(part[part["protocol"] == number])
    return measures


def mask_other_classes(logits: Tensor, classes: Sequence[int]) -> Tensor:
    """The logits (N, num_classes), minus infinity for all other classes.

    Args:
        logits: (N, num_classes).
        classes: whose logits stay.
    """
    out = torch.full_like(logits, -math.inf)
    out[:, list(classes)] = logits[:, list(classes)]
    return out


def percent(correct: int, total: int) -> float:
    """100 x correct / total.

    Args:
        correct, total: number of images.
    """
    return 100.0 * correct / total


def wilson_interval(correct: int, total: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, in percent.

    Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference, JASA 22:209-212.

    Args:
        correct, total: number of images.
    """
    p, z2 = correct / total, Z95 * Z95
    centre = (p + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * math.sqrt(p * (1 - p) / total + z2 / (4 * total * total)) / (1 + z2 / total)
    return 100.0 * max(0.0, centre - half), 100.0 * min(1.0, centre + half)
