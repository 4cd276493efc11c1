"""A network's pooled features, computed by every backend: its classifier is replaced by one that changes nothing."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from densezoo.data.loading import Batch
from densezoo.evaluation.evaluator import Logits
from densezoo.evaluation.metrics import check_finite
from densezoo.families import family_of
from densezoo.types import Architecture


def as_features(network: nn.Module, architecture: Architecture) -> tuple[nn.Module, Architecture]:
    """A copy of a network whose outputs are what its classifier was given, and the copy's architecture.

    Its classifier is the identity matrix: a sum of one product with 1 and of zeros is that feature, bit for bit.

    Args:
        network: images (N, C, H, W) -> logits (N, num_classes).
        architecture: of the network.
    """
    family = family_of(architecture)
    classifier = next(layer for layer in family.layers(architecture) if layer.role == "classifier")
    width = classifier.shapes["weight"][1]
    changed = family.with_fresh_classifier(copy.deepcopy(network), width)
    weights = changed.state_dict()
    with torch.no_grad():
        weights[f"{classifier.name}.weight"].copy_(torch.eye(width))
        weights[f"{classifier.name}.bias"].zero_()
    return changed.eval(), dataclasses.replace(architecture, num_classes=width)


@dataclass(frozen=True)
class Vector:
    """The features of one image.

    Args:
        image: what it is called.
        features: (channels,) float32; None: it can't be read.
    """

    image: str
    features: NDArray[np.float32] | None


@dataclass(frozen=True)
class Vectors:
    """Makes vectors of the outputs of a batch (`densezoo.evaluation.stream`).

    Args:
        images: what every image of the set is called.
    """

    images: Sequence[str]

    def __call__(self, outputs: Sequence[Logits], batches: Sequence[Batch]) -> list[Vector]:
        """One vector an image, in the batch's order.

        Args:
            outputs: of the one protocol, of `as_features`'s network.
            batches: of the one protocol.

        Raises:
            EvaluationError: a feature is NaN or infinite.
        """
        (batch,), (compute,) = batches, outputs
        computed = compute() if len(batch.pixels) else torch.empty(0)
        check_finite(computed)
        rows = iter(computed.float().cpu().numpy())
        return [
            Vector(self.images[index], None if position in batch.errors else next(rows).copy())
            for position, index in enumerate(batch.indices.tolist())
        ]
