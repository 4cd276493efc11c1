"""Logits -> the most probable classes of each image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from densezoo.data.loading import Batch
from densezoo.errors import EvaluationError
from densezoo.evaluation.evaluator import Logits
from densezoo.evaluation.metrics import check_finite
from densezoo.evaluation.predicted_labels import PredictedLabels
from densezoo.types import Answer, Prediction


@dataclass(frozen=True)
class Answers:
    """Makes predictions of the logits of a batch (`densezoo.evaluation.stream`).

    Args:
        images: what every image of the set is called.
        names: of the classes, in the order of the logits.
        topk: how many answers an image gets at most.
        multi_label: whether an image may have several right answers: a probability a class (sigmoid) in place of one
            over all (softmax).
        kept: takes the logits of every image that can be read; None: nothing keeps them.
    """

    images: Sequence[str]
    names: Sequence[str]
    topk: int
    multi_label: bool = False
    kept: PredictedLabels | None = None

    def __call__(self, logits: Sequence[Logits], batches: Sequence[Batch]) -> list[Prediction]:
        """One prediction an image, in the batch's order.

        Args:
            logits: of the one protocol.
            batches: of the one protocol.

        Raises:
            EvaluationError: a logit is NaN or infinite.
        """
        (batch,), (compute,) = batches, logits
        indices = batch.indices.tolist()
        logits_of_readable = compute().double().cpu() if len(batch.pixels) else None
        answers = iter([] if logits_of_readable is None else self._answers(logits_of_readable))
        if self.kept is not None and logits_of_readable is not None:
            readable = [index for position, index in enumerate(indices) if position not in batch.errors]
            self.kept.add(readable, logits_of_readable)
        return [
            Prediction(self.images[index], (), error=str(batch.errors[position]))
            if position in batch.errors
            else Prediction(self.images[index], next(answers), bool(batch.truncated[position]))
            for position, index in enumerate(indices)
        ]

    def _answers(self, logits: Tensor) -> list[tuple[Answer, ...]]:
        """The first answers of each image; of equal logits the lower class comes first."""
        check_finite(logits)
        if logits.shape[1] != len(self.names):
            raise EvaluationError(f"the network has {logits.shape[1]} outputs, and there are {len(self.names)} names")
        probabilities = class_probabilities(logits, self.multi_label)
        order = logits.sort(stable=True, dim=1, descending=True).indices[:, : self.topk]
        rows = zip(order.tolist(), torch.gather(probabilities, 1, order).tolist())
        return [tuple(Answer(k, self.names[k], p) for k, p in zip(labels, values)) for labels, values in rows]


def class_probabilities(logits: Tensor, multi_label: bool) -> Tensor:
    """The probability of each class, in the shape of the logits.

    Args:
        logits: (N, num_classes).
        multi_label: whether an image may have several right answers: then each class has a probability of its own.
    """
    return logits.sigmoid() if multi_label else logits.softmax(1)
