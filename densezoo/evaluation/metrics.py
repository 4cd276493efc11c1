"""Logits -> integer counts -> percent. Counts add up in any order, so any number of processes gives one number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from densezoo.errors import EvaluationError

Z95 = 1.959963984540054  # the 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Counts:
    """How many images were scored, and how many had their label first or among the first five."""

    num_samples: int = 0
    correct1: int = 0
    correct5: int = 0

    def percentages(self) -> dict[str, float]:
        """{"top1": percent, "top5": percent}."""
        return {"top1": percent(self.correct1, self.num_samples), "top5": percent(self.correct5, self.num_samples)}

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.num_samples + other.num_samples, self.correct1 + other.correct1, self.correct5 + other.correct5
        )


def count(logits: Tensor, labels: Tensor) -> Counts:
    """The counts of one batch.

    A label's rank is the number of classes with a higher logit, or with the same one and a lower index: ties fall
    the same way on every device, which ``torch.topk`` doesn't promise.

    Args:
        logits: (N, num_classes).
        labels: (N,), whole numbers; or (N, K) with several right answers, negative where there are fewer: the best
            placed one counts.

    Raises:
        EvaluationError: a logit is NaN.
    """
    if torch.isnan(logits).any():
        raise EvaluationError("the model's output holds NaN: its weights or the device's arithmetic are broken")
    labels = labels.to(logits.device)
    if labels.ndim == 2:
        placed = logits.gather(1, labels.clamp(min=0)).masked_fill(labels < 0, -math.inf)
        labels = labels.gather(1, placed.argmax(1, keepdim=True)).squeeze(1)
    own = logits.gather(1, labels[:, None])
    earlier = torch.arange(logits.shape[1], device=logits.device)[None, :] < labels[:, None]
    rank = ((logits > own) | ((logits == own) & earlier)).sum(1)
    return Counts(len(labels), int((rank < 1).sum()), int((rank < 5).sum()))


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
