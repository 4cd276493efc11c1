"""Keeps the logits of images while they are predicted, since the area of a label needs those of all images at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

from densezoo.evaluation.multi_label import label_areas, mean_area
from densezoo.types import LabelAreas


class PredictedLabels:
    """The logits of the images of a set, 8 bytes a label and image; threads may add to it at once.

    Args:
        rows: of each image of the set, the name under which the CSV of labels has it; images of one name count once.
        label_sets: {that name: indices of the labels that hold for the image, in the order of the logits}.
        names: of the labels, in the order of the logits.
    """

    def __init__(self, rows: Sequence[str], label_sets: Mapping[str, Sequence[int]], names: Sequence[str]) -> None:
        order = sorted(set(rows))  # as `table_images` orders them, so that `densezoo test` adds up the same numbers
        places = {name: place for place, name in enumerate(order)}
        self.names = tuple(names)
        self._places = np.array([places[name] for name in rows], np.int64)
        self._label_sets = [label_sets[name] for name in order]
        self._logits = np.zeros((len(order), len(names)))
        self._is_scored = np.zeros(len(order), np.bool_)

    def add(self, indices: Sequence[int], logits: Tensor) -> None:
        """Keep the logits of a few images.

        Args:
            indices: of the images in the set.
            logits: (images, labels), in that order.
        """
        places = self._places[list(indices)]
        self._logits[places] = logits.double().cpu().numpy()
        self._is_scored[places] = True

    def areas(self) -> LabelAreas:
        """The area of each label over the images whose logits were kept."""
        scored = np.flatnonzero(self._is_scored)
        sets = [self._label_sets[place] for place in scored.tolist()]
        labels = label_areas(self._logits[scored], sets, self.names)
        return LabelAreas(len(scored), len(self._is_scored) - len(scored), labels, mean_area(labels))
