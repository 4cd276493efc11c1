"""What ImageNet's evaluation sets need: wnids, subsets of classes, the reassessed labels."""

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
    """The text of a file of the timm package; timm itself, whose import takes 1 to 3 s, is not imported."""
    package = find_spec("timm")
    assert package is not None  # densezoo depends on it
    assert package.origin is not None
    return (Path(package.origin).parent / "data" / "_info" / name).read_text(encoding="utf-8")


def only_classes(list_name: str) -> Callable[[ImageSet], ImageSet]:
    """A function that keeps the images of some classes, and only these classes as answers, as timm's figures do.

    Args:
        list_name: a list of wnids in the timm package: "imagenet_a", "imagenet_r".
    """
    return partial(_restricted, list_name)


def _restricted(list_name: str, images: ImageSet) -> ImageSet:
    classes = sorted(wnids().index(wnid) for wnid in _timm_data(f"{list_name}_synsets.txt").split())
    chosen = set(classes)
    positions = [i for i, label in enumerate(images.labels) if label in chosen]
    if not positions:
        raise DatasetError(f"{images.location}: no image is of one of the {len(classes)} classes of {list_name}")
    return _choose(images, positions, [images.labels[i] for i in positions], classes=tuple(classes))


def real_labels(images: ImageSet) -> ImageSet:
    """ImageNet-ReaL (https://arxiv.org/abs/2006.07159): each image's set of right answers; images without are left out.

    Args:
        images: ImageNet's validation set.

    Raises:
        DatasetError: an image is not named ILSVRC2012_val_<number>, as ReaL's labels need; no image has a label.
    """
    all_answers = json.loads(_timm_data("imagenet_real_labels.json"))  # of the first image, the second, ...
    positions, sets = [], []
    for i, name in enumerate(images.ids):
        number = _VALIDATION_NUMBER.search(name)
        index = int(number[1]) - 1 if number else -1
        if not 0 <= index < len(all_answers):
            raise DatasetError(
                f"{images.location_of(i)}: ReaL's labels go by the validation set's own file names, "
                "ILSVRC2012_val_00000001 to ILSVRC2012_val_00050000"
            )
        if all_answers[index]:
            positions.append(i)
            sets.append(tuple(sorted(all_answers[index])))
    if not positions:
        raise DatasetError(f"{images.location}: none of the {len(images)} images has a label in ReaL")
    return _choose(images, positions, [answers[0] for answers in sets], label_sets=sets)


def _choose(images: ImageSet, positions: Sequence[int], labels: Sequence[int], **more: object) -> ChosenImages:
    ids = [images.ids[i] for i in positions]
    return ChosenImages(images.location, ids, labels, images, positions, **more)  # type: ignore[arg-type]  # its fields by name


def refuse_training_images(images: ImageSet) -> None:
    """Refuse images that are all named <wnid>_<number>, as only training images are.

    Args:
        images: a validation set.

    Raises:
        DatasetError: all images are named so.
    """
    if images.ids and all(_TRAINING_NAME.search(name) for name in images.ids):
        raise DatasetError(
            f"{images.location}: these are training images ({images.ids[0]}); expected the validation set; "
            "point --data-root at val/"
        )
