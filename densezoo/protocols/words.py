"""What the steps of a protocol are called in tables and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isclose

from densezoo.types import Protocol

_LIBRARIES = {
    "pil": "Pillow",
    "cv2": "OpenCV",
    "torch7": "Torch7",
    "tensorflow": "TensorFlow",
    "tensorflow1": "TensorFlow 1",
}
_DECODERS = {
    "pil": "Pillow",
    "pil16": "Pillow, 16 bits scaled to 8",
    "cv2.imread": "OpenCV",
    "cv2.imdecode": "OpenCV",
    "torch7": "Torch7",
    "mindspore": "MindSpore",
}
_ROUNDING = {"half_even": "rounded to even", "floor": "rounded down", "ceil": "rounded up"}
#: {rule of the long side: the size in a table; and in a sentence}
_SIZES = {
    "floor": "{0}",
    "single": "{0}, in single precision,",
    "half_even": "{0}, long side rounded,",
    "same": "{0} x {0}",
    "cut": "the square, {0}",
}
_RESIZES = {
    "floor": "short side to {0} px",
    "half_even": "short side to {0} px",
    "single": "short side to {0} px",
    "same": "both sides to {0} px",
    "cut": "the central square to {0} px",
}
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def _size(protocol: Protocol) -> str:
    if protocol.resize is None:
        return "as it is"
    size = _SIZES[protocol.long_side].format(protocol.resize)
    kept = f"; {protocol.crop} x {protocol.crop} as it is" if protocol.keeps_crop_size else ""
    return f"{size} to {protocol.crop}{kept}" if protocol.crop else size


def _library(protocol: Protocol) -> str:
    """What resizes, and whether a filter that shrinks is widened."""
    if protocol.resize is None:
        return ""
    return f"{_LIBRARIES[protocol.resize_backend]}, {'antialias' if protocol.antialias else 'no antialias'}"


def _decoding(protocol: Protocol) -> str:
    return f"{_DECODERS[protocol.decoder]}{', turned by EXIF' if protocol.exif else ''}"


def _numbers(values: tuple[float, ...]) -> str:
    """A number a channel in brackets, or one that all share."""
    return f"{values[0]:.6g}" if len({*values}) == 1 else f"({' '.join(f'{value:.6g}' for value in values)})"


def _normalisation(protocol: Protocol) -> str:
    """Mean and deviation, on the scale of 0 to 1 where they are ImageNet's and on the protocol's own otherwise."""
    scaled = tuple(tuple(v / protocol.value_range for v in values) for values in (protocol.mean, protocol.std))
    if all(isclose(a, b, rel_tol=1e-4) for own, known in zip(scaled, _IMAGENET) for a, b in zip(own, known)):
        return "ImageNet's"
    if set(protocol.mean) == {0.0} and len({*protocol.std}) == 1:
        return f"none: 0 to {protocol.value_range / protocol.std[0]:g}"
    return f"{_numbers(protocol.mean)} / {_numbers(protocol.std)} of 0 to {protocol.value_range:g}"


#: {step: what a protocol does in it}, in the order in which an image meets them.
STEPS: Mapping[str, Callable[[Protocol], str]] = {
    "decoded by": _decoding,
    "short side to crop": _size,
    "filter": lambda protocol: protocol.interpolation or "",
    "resized by": _library,
    "crop's offset": lambda protocol: "" if protocol.crop is None else _ROUNDING[protocol.crop_rounding],
    "mean / deviation": _normalisation,
    "channels": lambda protocol: "grey" if protocol.channel_order == "L" else protocol.channel_order,
}


def resizing(protocol: Protocol) -> str:
    """To what a protocol resizes, and how: ``short side to 256 px, bilinear``; "" if it doesn't."""
    if protocol.resize is None:
        return ""
    return f"{_RESIZES[protocol.long_side].format(protocol.resize)}, {protocol.interpolation}"


def resampling(protocol: Protocol) -> str:
    """How a protocol makes an image smaller: ``bilinear, Pillow, antialias``; "" if it doesn't."""
    return f"{protocol.interpolation}, {_library(protocol)}" if protocol.resize is not None else ""


def differences(first: Protocol, second: Protocol) -> dict[str, tuple[str, str]]:
    """{step: what each does} of the steps in which two protocols differ."""
    both = {name: (step(first), step(second)) for name, step in STEPS.items()}
    return {name: words for name, words in both.items() if words[0] != words[1]}
