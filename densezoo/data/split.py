"""A set of images in two: those to train on and those to measure on; stored, so that a later run takes the same."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from densezoo import schema
from densezoo.data.contents import VerifiedImages
from densezoo.data.images import ChosenImages, ImageSet
from densezoo.errors import DatasetError
from densezoo.files import write_atomically

FILE = "split.json"  # in a training's folder


@dataclass(frozen=True)
class Split:
    """Which images are trained on, and which are measured on.

    Args:
        seed: what they were drawn with.
        held_out: share of the images that are measured on, above 0 and below 1.
        train, test: {id of an image: sha256 of its content, 64 hex digits}.
    """

    seed: int
    held_out: float
    train: Mapping[str, str]
    test: Mapping[str, str]


def draw_split(images: VerifiedImages, seed: int, held_out: float) -> Split:
    """Draw the images to measure on: the same share of each class (of each set of labels, of several an image).

    The draw follows from the seed and the images' ids alone, whatever the version of anything.

    Args:
        images: the whole set.
        seed: another one draws other images.
        held_out: their share, above 0 and below 1.

    Raises:
        DatasetError: a class has a single image, which can't be on both sides.
    """
    groups: dict[Hashable, list[int]] = {}
    for index, label in enumerate(images.labels if images.label_sets is None else images.label_sets):
        groups.setdefault(label, []).append(index)
    test, before = set(), 0
    for label in sorted(groups, key=str):
        drawn = sorted(groups[label], key=lambda index: _draw(seed, images.ids[index]))
        if images.label_sets is None:
            if len(drawn) < 2:
                raise DatasetError(
                    f"{images.location_of(drawn[0])}: the only image of its class, which can't be trained on and "
                    "measured on; add images, or remove the class"
                )
            test.update(drawn[: min(len(drawn) - 1, max(1, round(held_out * len(drawn))))])
        else:  # groups may be of one image each: every fifth, counted over all groups
            places = [math.floor((before + i) * held_out) for i in range(len(drawn) + 1)]
            test.update(index for index, a, b in zip(drawn, places, places[1:]) if a < b)
            before += len(drawn)
    digests = {name: images.digest(index).hex() for index, name in enumerate(images.ids)}
    halves: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for index, name in enumerate(images.ids):
        halves[index in test][name] = digests[name]
    return Split(seed, held_out, *halves)


def _draw(seed: int, name: str) -> bytes:
    """By what an image stands in the drawn order, from its id."""
    return hashlib.sha256(f"{seed}\0{name}".encode(errors="surrogateescape")).digest()


def stored_split(path: Path) -> Split | None:
    """The split in a file; None: there is no such file.

    Args:
        path: the file.

    Raises:
        DatasetError: it holds something else.
    """
    try:
        return schema.build(Split, json.loads(path.read_bytes()), str(path), DatasetError)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not a stored split ({error!s:.80}); remove it to draw one anew") from None


def store_split(path: Path, split: Split) -> None:
    """Store a split.

    Args:
        path: the file; its folder is made.
        split: what it will hold.

    Raises:
        DatasetError: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(split), indent=1) + "\n")
    except OSError as error:
        raise DatasetError(f"{path}: can't be written ({error.strerror}); choose another --work-dir") from None


def check_split(path: Path, split: Split, images: VerifiedImages, seed: int, held_out: float) -> None:
    """Hold a stored split to the images as they are now, and to what a recipe asks for.

    Args:
        path: of the split, for messages.
        split: read from it.
        images: the whole set.
        seed, held_out: of the recipe.

    Raises:
        DatasetError: another seed or share; images were added, removed or changed; names the first.
    """
    if (split.seed, split.held_out) != (seed, held_out):
        raise DatasetError(
            f"{path}: was drawn with seed {split.seed} and a share of {split.held_out}, and the config asks for "
            f"{seed} and {held_out}; {_AGAIN}"
        )
    stored = {**split.train, **split.test}
    now = {name: images.digest(index).hex() for index, name in enumerate(images.ids)}
    changes = {
        "was added": [name for name in now if name not in stored],
        "is gone": [name for name in stored if name not in now],
        "has another content": [name for name in now if name in stored and stored[name] != now[name]],
    }
    for change, names in changes.items():
        if names:
            others = f", with {len(names) - 1:,} others" if len(names) > 1 else ""
            raise DatasetError(
                f"{images.location}: {names[0]} {change} since {path} was drawn{others}: a network would be measured "
                f"on other images than before, or on some that it was trained on; {_AGAIN}"
            )
    if both := sorted(split.train.keys() & split.test.keys()):
        raise DatasetError(f"{path}: {both[0]} is on both sides; {_AGAIN}")


_AGAIN = "begin in another --work-dir, or remove that file to draw anew"


def part_of(images: ImageSet, ids: Mapping[str, str] | Sequence[str]) -> ChosenImages:
    """The images of some ids, in their order in the set.

    Args:
        images: the whole set.
        ids: of the images.
    """
    chosen = [index for index, name in enumerate(images.ids) if name in ids]
    common = {entry.name: getattr(images, entry.name) for entry in fields(ImageSet)}
    for name in ("ids", "labels", "label_sets"):
        common[name] = None if common[name] is None else [common[name][index] for index in chosen]
    return ChosenImages(**common, images=images, positions=chosen)
