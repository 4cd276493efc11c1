"""How an image file becomes a network's input."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from typing import Literal

from densezoo.errors import ConfigError


@dataclass(frozen=True)
class Protocol:
    """How an image file becomes the tensor that a network gets; a part of every result's identity.

    Args:
        name: what ``--protocol`` takes.
        source: the document or code that fixes it, and what is not known of it.
        decoder: what turns bytes into RGB (`densezoo.data.decoding`); pil16 is Pillow with 16 bits scaled to 8, where
            pil clips them and the others keep the high byte, and with pil it reads DICOM.
        exif: whether the EXIF orientation is applied.
        resize: short side in pixels; None: the image stays as it is.
        long_side: what the long side becomes: in proportion, rounded down (``floor``) or to the nearest pixel
            (``half_even``, Python's ``round``); both sides in single precision, rounded down (``single``, so that the
            short one may lack a pixel); or as long as the short side: ``same`` loses the aspect ratio, ``cut``
            keeps the central square before the resize.
        interpolation: None only without a resize.
        antialias: whether shrinking widens the filter.
        resize_backend: library that resamples (`densezoo.data.resampling`).
        crop: side of the central square in pixels; None: no crop.
        keeps_crop_size: whether an image that is as large as the crop already is not resized.
        image_size: side in pixels that the square images have to have as they come; None: any, as it resizes them or
            nobody says.
        crop_rounding: how (side - crop) / 2 becomes a whole offset: ``half_even`` is Python's ``round``.
        mean, std: one number a channel, in the units of value_range and the order of channel_order.
        value_range: what a pixel of 255 is before the mean is taken off, 1.0 or 255.0.
        channel_order: order in which the network gets the channels; ``L`` is one grey channel.

    Raises:
        ConfigError: fields that contradict each other, or that no library does together.
    """

    name: str
    source: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    decoder: Literal["pil", "pil16", "cv2.imread", "cv2.imdecode", "torch7", "mindspore", "nvjpeg"] = "pil"
    exif: bool = False
    resize: int | None = None
    long_side: Literal["floor", "half_even", "single", "same", "cut"] = "floor"
    interpolation: Literal["bilinear", "bicubic"] | None = None
    antialias: bool = True
    resize_backend: Literal["pil", "cv2", "torch7", "tensorflow", "tensorflow1", "torch"] = "pil"
    crop: int | None = None
    keeps_crop_size: bool = False
    image_size: int | None = None
    crop_rounding: Literal["half_even", "floor", "ceil"] = "half_even"
    value_range: float = 1.0
    channel_order: Literal["RGB", "BGR", "L"] = "RGB"

    @property
    def crop_pct(self) -> float | None:
        """Crop / short side, in as few digits as give the short side again, rounded down as timm does; None: none."""
        if self.crop is None or self.resize is None:
            return None
        ratio = self.crop / self.resize
        rounded = (round(ratio, digits) for digits in (1, 2, 3))
        return next((value for value in rounded if value and floor(self.crop / value) == self.resize), ratio)

    @property
    def float_pixels(self) -> bool:
        """Whether its pixels are float32 in the value range: it resizes in floats. Otherwise they are uint8."""
        return self.resize is not None and self.resize_backend in ("torch7", "tensorflow", "tensorflow1")

    def __post_init__(self) -> None:
        channels, sampler = len(self.channel_order), self.resize_backend
        contradictions = {
            f"expected {channels} means and deviations": {len(self.mean), len(self.std)} != {channels},
            "resize and interpolation come together": (self.resize is None) != (self.interpolation is None),
            f"long_side is {self.long_side}, and nothing is resized": self.resize is None and self.long_side != "floor",
            f"crop {self.crop} needs a resize of at least that": (self.crop or 0) > (self.resize or 0),
            "what it resizes need not have a size": self.image_size is not None and self.resize is not None,
            f"{self.decoder} knows no EXIF": self.exif and self.decoder in ("torch7", "mindspore", "nvjpeg"),
            f"{self.decoder} has no grey channel alone": channels == 1 and self.decoder not in ("pil", "pil16"),
            f"antialias is {self.antialias}, and {sampler} can't": self.antialias != (sampler in ("pil", "torch")),
            f"torch7 has no {self.interpolation}": sampler == "torch7" and self.interpolation != "bicubic",
            f"{sampler} resizes to pixels in 0..255, and it has no {self.interpolation}": sampler.startswith(
                "tensorflow"
            )
            and (self.value_range, self.interpolation) != (255.0, "bilinear"),
            "torch7 resizes to pixels in 0..1": sampler == "torch7" and self.value_range != 1.0,
        }
        for reason, holds in contradictions.items():
            if holds:
                raise ConfigError(f"protocol {self.name!r}: {reason}")
