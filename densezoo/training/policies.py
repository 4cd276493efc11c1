"""Policies: changes of an image that are drawn from a list (RandAugment, AutoAugment, AugMix, TrivialAugment), by name.

Timm's have parameters in their names ("rand-m9-mstd0.5-inc1"), in the spelling of its ``--aa``; torchvision's have the
names of its references' ``--auto-augment``. Both are the libraries' own code.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.types import Protocol

if TYPE_CHECKING:  # a name is checked before torch is imported
    from PIL import Image

Change = Callable[["Image.Image"], "Image.Image"]

_NUMBER = r"\d+(\.\d+)?"
_NOISE = rf"mstd({_NUMBER}|inf)"
#: {first word of timm's name: (pattern of the parts after it, such parts as an example)}
TIMM_S: dict[str, tuple[str, str]] = {
    "rand": (
        rf"m\d+|n\d+|p{_NUMBER}|{_NOISE}|mmax\d+|inc[01]|t(weights|3a|3aw)",
        "m9, n2, p0.5, mstd0.5, mmax10, inc1",
    ),
    "augmix": (rf"m\d+|w\d+|d\d+|a{_NUMBER}|b[01]|{_NOISE}", "m3, w3, d2, a1.0, b1, mstd0.5"),
    "original": (_NOISE, "mstd0.5"),
    "originalr": (_NOISE, "mstd0.5"),
    "v0": (_NOISE, "mstd0.5"),
    "v0r": (_NOISE, "mstd0.5"),
    "3a": (_NOISE, "mstd0.5"),
}
#: {name in torchvision's references: class of torchvision.transforms.v2, its policy for AutoAugment}
TORCHVISION_S: dict[str, tuple[str, str | None]] = {
    "ta_wide": ("TrivialAugmentWide", None),
    "ra": ("RandAugment", None),
    "imagenet": ("AutoAugment", "imagenet"),
    "cifar10": ("AutoAugment", "cifar10"),
    "svhn": ("AutoAugment", "svhn"),
}


def check_policy(name: str) -> None:
    """Refuse what is no policy's name.

    Args:
        name: such as "rand-m9-mstd0.5" (timm's) or "ta_wide" (torchvision's).

    Raises:
        UnknownNameError: no policy begins like that; names the nearest.
        ConfigError: a part after the first word is none of its parameters.
    """
    if name in TORCHVISION_S:
        return
    first, *parts = name.split("-")
    if first not in TIMM_S:
        raise UnknownNameError("policy", name, [*TORCHVISION_S, *TIMM_S, "rand-m9-mstd0.5-inc1"])
    pattern, examples = TIMM_S[first]
    for part in parts:
        if not re.fullmatch(pattern, part):
            raise ConfigError(
                f"train.policy {name!r}: {part!r} is no parameter of {first!r}; expected parts like {examples}"
            )


def make_policy(name: str, side: int | None, protocol: Protocol) -> Change:
    """The policy of that name: an image -> the changed image, both Pillow's.

    Args:
        name: such as "rand-m9-mstd0.5" (timm's) or "ta_wide" (torchvision's).
        side: of the images in pixels, as far as it is known: timm's shifts are shares of it.
        protocol: of the network; timm fills what is uncovered with its mean colour, and resamples by its interpolation.

    Raises:
        UnknownNameError: no policy begins like that; names the nearest.
        ConfigError: a part after the first word is none of its parameters; the images have one channel, and timm's
            policies need three.
    """
    check_policy(name)
    if name in TORCHVISION_S:
        return _torchvision_s(*TORCHVISION_S[name])
    if len(protocol.channel_order) != 3:
        raise ConfigError(
            f"train.policy {name!r} changes colours, and images under protocol {protocol.name!r} have one channel; "
            "choose 'ta_wide' or 'ra', or none"
        )
    from PIL.Image import Resampling
    from timm.data import auto_augment

    mean = tuple(min(255, round(255 * value / protocol.value_range)) for value in protocol.mean)
    parameters: dict[str, object] = {"img_mean": mean if protocol.channel_order == "RGB" else mean[::-1]}
    if side is not None:
        parameters["translate_const"] = int(side * 0.45)
    if protocol.interpolation is not None:
        parameters["interpolation"] = Resampling[protocol.interpolation.upper()]
    make: Callable[[str, dict[str, object]], Change] = auto_augment.auto_augment_transform
    if name.startswith("rand"):
        make = auto_augment.rand_augment_transform
    elif name.startswith("augmix"):
        make, parameters["translate_pct"] = auto_augment.augment_and_mix_transform, 0.3
    return make(name, parameters)


def _torchvision_s(transform: str, policy: str | None) -> Change:
    """A policy of torchvision's."""
    from torchvision.transforms import v2

    make = getattr(v2, transform)
    change: Change = make() if policy is None else make(v2.AutoAugmentPolicy(policy))
    return change
