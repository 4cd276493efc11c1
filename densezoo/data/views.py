"""Test-time augmentations: several views of one image, whose logits are summed. A new one is one entry here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from densezoo.data.decoding import Decoded
from densezoo.data.resampling import Array
from densezoo.data.strips import Strip
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.types import Protocol

if TYPE_CHECKING:  # a name is checked before torch is imported
    from torch import Tensor


@dataclass(frozen=True)
class Augmentation:
    """The views of an image that are scored, ordered by size, then mirroring, then crop.

    Args:
        name: what ``--tta`` takes and a result's file name has.
        source: the document or code that defines it.
        sizes: short sides to resize to, relative to the protocol's; the crop keeps its size.
        mirror: whether the views of the mirror image are scored, too; it is mirrored before it is cropped.
        crops: positions of the crops in the resized image, keys of CROPS.
    """

    name: str
    source: str
    sizes: tuple[float, ...] = (1.0,)
    mirror: bool = False
    crops: tuple[str, ...] = ("centre",)


#: {crop: (from the top, from the left)} in shares of the margin; None: the protocol's own rounding of its half.
CROPS: dict[str, tuple[int, int] | None] = {
    "centre": None,
    "top-left": (0, 0),
    "top-right": (0, 1),
    "bottom-left": (1, 0),
    "bottom-right": (1, 1),
}

AUGMENTATIONS = {
    augmentation.name: augmentation
    for augmentation in (
        Augmentation("flip", "the image and its mirror image", mirror=True),
        Augmentation(
            "ten-crop",
            "https://github.com/liuzhuang13/DenseNet, datasets/transforms.lua TenCrop; train.lua sums the outputs",
            mirror=True,
            crops=tuple(CROPS),
        ),
        Augmentation(
            "multi-size",
            "https://arxiv.org/abs/1409.1556 section 3.2, with the central crop: sizes 256, 288 and 320 for a 256",
            sizes=(1.0, 1.125, 1.25),
            mirror=True,
        ),
    )
}


def get_augmentation(name: str | None) -> Augmentation | None:
    """The augmentation of that name; None for None.

    Args:
        name: a key of AUGMENTATIONS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name is None:
        return None
    if name not in AUGMENTATIONS:
        raise UnknownNameError("test-time augmentation", name, AUGMENTATIONS)
    return AUGMENTATIONS[name]


def check_fits(augmentation: Augmentation | None, protocol: Protocol) -> None:
    """Refuse an augmentation of several crops or sizes under a protocol that neither resizes nor crops.

    Args:
        augmentation: None fits every protocol.
        protocol: of the run.

    Raises:
        ConfigError: they don't fit; names both.
    """
    if augmentation and protocol.crop is None and (augmentation.sizes != (1.0,) or len(augmentation.crops) > 1):
        raise ConfigError(
            f"--tta {augmentation.name} needs a protocol that resizes and crops; {protocol.name} takes the image as "
            "it is: expected --tta flip, or another protocol"
        )


def to_views(image: Decoded, protocol: Protocol, augmentation: Augmentation) -> Tensor:
    """Every view of a decoded image: (V, C, H, W), uint8 or float32 as the protocol's pixels are.

    Args:
        image: of `densezoo.data.decoding.decode`.
        protocol: the one by which the image was decoded.
        augmentation: its views are made.
    """
    import torch

    from densezoo.data.preprocess import crop_planes

    views = _views(image, protocol, augmentation)
    return torch.stack([crop_planes(pixels, corner, protocol, mirrored) for pixels, corner, mirrored in views])


def _views(
    image: Decoded, protocol: Protocol, augmentation: Augmentation
) -> Iterator[tuple[Array | Strip, tuple[int, int] | None, bool]]:
    """(resized image, (top, left) of the crop or None for the centre, whether it is mirrored) of every view."""
    from densezoo.data.preprocess import resized

    for size in augmentation.sizes:
        short = None if protocol.resize is None else int(protocol.resize * size)
        picture = resized(image, replace(protocol, resize=short))
        for mirrored in (False, True)[: 1 + augmentation.mirror]:
            for crop in augmentation.crops:
                yield picture, _corner(picture.shape, CROPS[crop], protocol), mirrored


def _corner(shape: tuple[int, ...], share: tuple[int, int] | None, protocol: Protocol) -> tuple[int, int] | None:
    if share is None or protocol.crop is None:
        return None
    top, left = (part * (side - protocol.crop) for part, side in zip(share, shape))
    return top, left
