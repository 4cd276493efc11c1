"""What the evaluation sets around ImageNet share: wnids, subsets of classes, the reassessed labels."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from densezoo.data.class_names import imagenet_classes
from densezoo.data.images import ChosenImages, ImageSet
from densezoo.errors import DatasetError

_VALIDATION_NUMBER = re.compile(r"ILSVRC2012_val_(\d{8})")
_TRAINING_NAME = re.compile(r"(n\d{8})_\d+\.[A-Za-z]+$")


def wnids() -> Sequence[str]:
    """The folder names of ImageNet's 1,000 classes, in label order."""
    return imagenet_classes()[0]


def _timm_data(name: str) -> str:
    """The text of a file that timm carries; timm itself, which takes 1 to 3 s, is not imported."""
    package = find_spec("timm")
    assert package is not None  # densezoo depends on it
    assert package.origin is not None
    return (Path(package.origin).parent / "data" / "_info" / name).read_text(encoding="utf-8")


def only_classes(list_name: str) -> Callable[[ImageSet], ImageSet]:
    """Keeps the images of some classes, and lets only these classes compete for them, as timm's figures have it.

    Args:
        list_name: a list of wnids that timm carries: "imagenet_a", "imagenet_r".
    """
    return partial(_restricted, list_name)


def _restricted(list_name: str, images: ImageSet) -> ImageSet:
    wanted = _timm_data(f"{list_name}_synsets.txt").split()
    classes = sorted(wnids().index(wnid) for wnid in wanted)
    chosen = set(classes)
    positions = [i for i, label in enumerate(images.labels) if label in chosen]
    if not positions:
        raise DatasetError(f"{images.location}: no image is of one of the {len(classes)} classes of {list_name}")
    return _choose(images, positions, [images.labels[i] for i in positions], classes=tuple(classes))


def real_labels(images: ImageSet) -> ImageSet:
    """ImageNet-ReaL (https://arxiv.org/abs/2006.07159): each image's set of right answers; those without are left out.

    Raises:
        DatasetError: an image that isn't ILSVRC2012_val_<number>, by which ReaL knows it; none that has a label.
    """
    known = json.loads(_timm_data("imagenet_real_labels.json"))  # right answers of the first image, the second, ...
    positions, sets = [], []
    for i, name in enumerate(images.ids):
        number = _VALIDATION_NUMBER.search(name)
        index = int(number[1]) - 1 if number else -1
        if not 0 <= index < len(known):
            raise DatasetError(
                f"{images.where(i)}: ReaL's labels go by the validation set's own file names, "
                "ILSVRC2012_val_00000001 to ILSVRC2012_val_00050000"
            )
        if known[index]:
            positions.append(i)
            sets.append(tuple(sorted(known[index])))
    if not positions:
        raise DatasetError(f"{images.location}: none of the {len(images)} images has a label in ReaL")
    return _choose(images, positions, [answers[0] for answers in sets], label_sets=sets)


def _choose(images: ImageSet, positions: Sequence[int], labels: Sequence[int], **more: object) -> ChosenImages:
    ids = [images.ids[i] for i in positions]
    return ChosenImages(images.location, ids, labels, images, positions, **more)  # type: ignore[arg-type]


def refuse_training_images(images: ImageSet) -> None:
    """Training images are called <wnid>_<number>; a validation set of nothing else is none.

    Raises:
        DatasetError: all images are.
    """
    if images.ids and all(_TRAINING_NAME.search(name) for name in images.ids):
        raise DatasetError(
            f"{images.location}: these are training images ({images.ids[0]}), and the validation set was asked for; "
            "point --data-root at val/"
        )
