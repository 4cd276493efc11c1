"""A network of several labels an image, measured by the area under the ROC curve of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from densezoo.backends.base import EAGER, create_backend
from densezoo.data.images import ImageSet
from densezoo.data.loading import batches_by_protocol
from densezoo.errors import DatasetError
from densezoo.evaluation import distributed
from densezoo.evaluation.auc import area_under_roc
from densezoo.evaluation.metrics import check_finite
from densezoo.types import Architecture, LabelAuc, Protocol


def label_scores(
    network: nn.Module, images: ImageSet, protocol: Protocol, architecture: Architecture, device: str, batch_size: int
) -> NDArray[np.float64]:
    """The logits of every image, (images, labels), the same in every process.

    Args:
        network: images (N, C, H, W), normalised -> logits.
        images: the set.
        protocol: of the images.
        architecture: of the network.
        device: "cpu", "cuda", ...
        batch_size: images in a step of each process.

    Raises:
        EvaluationError: a logit is NaN or infinite.
        ImageError: an image can't be read.
    """
    backend = create_backend(EAGER, network, architecture, protocol, device, "float32")
    own = distributed.shard(len(images))
    scores = torch.zeros(len(images), architecture.num_classes, dtype=torch.float64)
    steps = batches_by_protocol(images, (protocol,), batch_size=batch_size, workers=0, indices=own)
    with closing(steps):
        for (batch,) in steps:
            scores[batch.indices] = backend(batch.pixels).double().cpu()
    gathered: Sequence[tuple[range, Tensor]] = distributed.gather((own, scores[list(own)]))
    for indices, part in gathered:
        scores[list(indices)] = part
    check_finite(scores)
    logits: NDArray[np.float64] = scores.numpy()
    return logits


def label_measures(
    scores: NDArray[np.float64], label_sets: Sequence[Sequence[int]], names: Sequence[str]
) -> dict[str, float]:
    """{"auc": the mean over labels, "auc NAME": of each label, "auc NAME low" and "high": its 95 % interval}.

    A label that all images have, or none, has no area and is left out.

    Args:
        scores: (images, labels).
        label_sets: the labels of each image.
        names: of the labels.
    """
    labels = label_areas(scores, label_sets, names)
    mean = mean_area(labels)
    measures = {} if mean is None else {"auc": mean}
    for label in labels:
        if label.auc is not None and label.interval95 is not None:
            name, (low, high) = label.name, label.interval95
            measures |= {f"auc {name}": label.auc, f"auc {name} low": low, f"auc {name} high": high}
    return measures


def label_areas(
    scores: NDArray[np.float64], label_sets: Sequence[Sequence[int]], names: Sequence[str]
) -> tuple[LabelAuc, ...]:
    """The area under the ROC curve of each label, with its interval.

    Args:
        scores: (images, labels).
        label_sets: the labels of each image.
        names: of the labels.
    """
    has = np.zeros(scores.shape, np.bool_)
    for row, labels in zip(has, label_sets):
        row[list(labels)] = True
    areas = []
    for i, name in enumerate(names):
        area, positives = area_under_roc(scores[:, i], has[:, i]), int(has[:, i].sum())
        value, interval = (area.value, (area.low, area.high)) if area else (None, None)
        areas.append(LabelAuc(name, positives, len(scores) - positives, value, interval))
    return tuple(areas)


def mean_area(labels: Sequence[LabelAuc]) -> float | None:
    """The mean over the labels that have an area; None: none has.

    Args:
        labels: of `label_areas`.
    """
    areas = [label.auc for label in labels if label.auc is not None]
    return float(np.mean(areas)) if areas else None


def check_measurable(images: ImageSet, names: Sequence[str]) -> Mapping[str, tuple[int, int]]:
    """{label: (images with it, images without it)} of the labels that can't be measured, because one of both is 0.

    Args:
        images: of several labels each.
        names: of the labels.

    Raises:
        DatasetError: no label can be measured.
    """
    sets = images.label_sets or ()
    counts = np.bincount([label for labels in sets for label in labels], minlength=len(names)).tolist()
    lacking = {name: (count, len(sets) - count) for name, count in zip(names, counts) if count in (0, len(sets))}
    if len(lacking) == len(names):
        raise DatasetError(
            f"{images.location}: none of the labels {', '.join(names[:5])} tells the {len(sets)} images that are "
            "measured on apart: all have it, or none; an AUC needs both"
        )
    return lacking
