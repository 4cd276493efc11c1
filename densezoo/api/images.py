"""The images of an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.data.class_folders import check_folders, labelled_by_folder
from densezoo.data.datasets import open_dataset
from densezoo.data.images import ImageSet
from densezoo.data.labels import check_labels
from densezoo.types import Experiment

OWN = "imagefolder"  # the dataset of a user's own images


def open_images(
    experiment: Experiment,
    data_root: str | Path | None,
    split: str,
    labels: str | Path | None = None,
    class_map: str | Path | None = None,
    subset: str | None = None,
    class_names: Sequence[str] | None = None,
) -> ImageSet:
    """Open the config's dataset and check its labels against the model's number of classes.

    Args:
        experiment: the config.
        data_root: folder, tar or shards; None: a built-in dataset needs none.
        split: "train" or "test" (ImageNet's val).
        labels: the list of a flat folder's or tar's labels; None: one that is found there.
        class_map: file of the labels of class folders; None: the dataset's own.
        subset: which of a dataset's several sets; None: the only one.
        class_names: that the weights state, by which a user's own class folders are labelled, unless ``labels`` or
            ``class_map`` does; None: they state none.

    Raises:
        DatasetError: no such folder, another layout, or a label that the model has no class for.
    """
    images = open_dataset(experiment.dataset, data_root, split, labels=labels, class_map=class_map, subset=subset)
    if experiment.dataset == OWN and labels is None and class_map is None:
        if class_names is not None:
            images = labelled_by_folder(images, class_names)
        else:
            check_folders(images, experiment.model.num_classes)
    check_labels(images.labels, [images.location_of(i) for i in range(len(images))], experiment.model.num_classes)
    return images
