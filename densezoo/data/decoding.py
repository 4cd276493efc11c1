"""Bytes -> RGB as each publisher's library decodes them, unusual files included.

What differs between them: EXIF orientation, 16-bit files, CMYK, alpha and truncated files. A 16-bit grey PNG is clipped
at 255 by Pillow, loses its low byte in OpenCV and keeps all 16 bits in Torch7; a CMYK JPEG is converted by three
formulas; decoders that read files through libjpeg's own source fill a truncated JPEG with grey, the others refuse it.
"""

from __future__ import annotations

import functools
import io
import logging
import re
import threading
import warnings
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from densezoo.data.medical import dicom_pixels, is_dicom
from densezoo.data.resampling import resized_size
from densezoo.data.strips import fits
from densezoo.errors import ImageError, MissingDependencyError
from densezoo.types import Protocol

#: A decoded image: Pillow's own, or an array (H, W, 3), uint8 in 0..255 or float32 in 0..1.
Decoded: TypeAlias = "Image.Image | NDArray[np.uint8] | NDArray[np.float32]"

MAX_PIXELS = 178_956_970  # more is a decompression bomb for Pillow by default; 0.5 GB as RGB
_TORCH7_FORMATS = ("JPEG", "MPO", "PNG", "PPM")  # MPO is a JPEG with further pictures behind it
#: Decoders that read a JPEG by libjpeg's jpeg_stdio_src, which appends an end marker if a file has none: torch/image's
#: generic/jpeg.c and OpenCV's imread. The source of OpenCV's imdecode appends none; MindSpore's
#: (minddata/dataset/kernels/image/image_utils.cc) raises an error.
_FILLING = ("cv2.imread", "torch7")
_SCAN, _END_MARKER = b"\xff\xda", b"\xff\xd9"
_ENDLESS = _END_MARKER * 2**15  # more than the longest segment, which may begin at the file's last byte
_DEEP = ("I", "F")  # how the names of Pillow's modes of more than 8 bits begin
_PNG_END = b"IEND\xaeB`\x82"
#: A marker that has a segment, or ends the picture; not 00 (a data byte of FF), FF (padding), 01 and D0-D8 (alone).
_MARKER = re.compile(rb"\xff[\x02-\xcf\xd9-\xfe]")


def decode(source: bytes | NDArray[np.uint8] | Image.Image, protocol: Protocol, location: str) -> Decoded:
    """The image with the protocol's channels (RGB where the protocol has BGR).

    Args:
        source: an encoded file, decoded pixels (H, W, 3) or (H, W), or a Pillow image. To decoded pixels only the
            protocol's EXIF rule, its channels and what its decoder does with 16 bits are applied.
        protocol: how it is decoded.
        location: of the image, for messages.

    Raises:
        ImageError: the protocol's library can't decode it; it has more than MAX_PIXELS pixels; or its resize has more
            and the crop can't be made from a part of it (`densezoo.data.strips.fits`).
    """
    try:
        with WITHOUT_WARNINGS:  # Pillow warns of odd metadata, which the libraries here ignore
            if isinstance(source, bytes):
                return _DECODERS[protocol.decoder](source, protocol)
            image = source if isinstance(source, Image.Image) else Image.fromarray(source)
            return _scaled(image, protocol) if protocol.decoder == "pil16" else _clipped(image, protocol)
    except MissingDependencyError:
        raise
    except Exception as error:  # the decoders raise OSError, SyntaxError, ValueError, struct.error, cv2.error and more
        unknown = isinstance(error, UnidentifiedImageError)
        reason = "no image format that Pillow knows" if unknown else str(error).strip().partition("\n")[0]
        size = f"; {len(source):,} bytes" if isinstance(source, bytes) else ""
        file = isinstance(source, bytes) and not is_dicom(source)  # of DICOM and of an image the reason says what to do
        advice = "; replace the file with an intact copy" if file else ""
        raise ImageError(f"{location}: can't be decoded ({reason}{size}){advice}") from None


class _WithoutWarnings:
    """Ignores warnings while any thread is inside: `warnings.catch_warnings` of two threads at once undo each other."""

    def __init__(self) -> None:
        self.lock, self.inside, self.ignored = threading.Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.ignored = warnings.catch_warnings()
                self.ignored.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.ignored.__exit__(None, None, None)


WITHOUT_WARNINGS = _WithoutWarnings()


def is_truncated(data: bytes, protocol: Protocol) -> bool:
    """Whether the protocol's decoder fills in the end of an encoded file that is missing, as a rule with grey.

    Only some decoders (`_FILLING`) do so, and only for JPEG files; the others refuse such a file, as `decode` does. For
    a file that no decoder can read the result is meaningless.

    Args:
        data: the encoded file.
        protocol: how it is decoded.
    """
    return protocol.decoder in _FILLING and data.startswith(b"\xff\xd8\xff") and not _has_end(data)


def _has_end(data: bytes) -> bool:
    """Whether a JPEG has an end marker outside its segments; a thumbnail has one inside."""
    position = 2
    while (marker := _MARKER.search(data, position)) is not None:
        if marker[0] == _END_MARKER or (marker[0] == _SCAN and data.endswith(_END_MARKER)):
            return True  # from the first scan on no data and no table has the marker's bytes
        length = int.from_bytes(data[marker.end() : marker.end() + 2], "big")
        position = marker.end() + length
    return False


def _filled(data: bytes, protocol: Protocol) -> bytes:
    """The file as its decoder's source gives it: with end markers appended if its own is missing."""
    return data + _ENDLESS if is_truncated(data, protocol) else data


def _opened(data: bytes, protocol: Protocol) -> Image.Image:
    """The image with its header read by Pillow; no pixel is decoded yet."""
    if is_dicom(data):
        raise ValueError(
            f"DICOM, which the decoder of protocol {protocol.name}, {protocol.decoder}, doesn't read; "
            "take a protocol with decoder pil or pil16: a --protocol of your own"
        )
    image = Image.open(io.BytesIO(data))
    check_area(image.size, protocol)
    return image


def check_area(size: tuple[int, int], protocol: Protocol) -> None:
    """Refuse an image that is too large, or whose resize is, unless the crop can be made from a part of the resize.

    Args:
        size: (width, height) of the image, pixels.
        protocol: that it is under.

    Raises:
        ValueError: it is too large.
    """
    sizes = [size]
    if protocol.resize is not None and protocol.interpolation is not None:
        after = resized_size(*size, protocol.resize, protocol.long_side)
        alone = protocol.crop is not None and fits(size, after, protocol.resize_backend, protocol.interpolation)
        sizes += [] if alone else [after]
    for width, height in sizes:
        if width * height > MAX_PIXELS:
            raise ValueError(f"{size[0]} x {size[1]} becomes {width * height:,} pixels, more than {MAX_PIXELS:,}")


def _converted(image: Image.Image, protocol: Protocol) -> Image.Image:
    check_area(image.size, protocol)
    upright = ImageOps.exif_transpose(image) if protocol.exif else image
    return _in_mode(upright, "L" if protocol.channel_order == "L" else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    """The image in a mode; Pillow's own convert copies one that is in it already, a sixth of the decoding."""
    image.load()
    return image if image.mode == mode else image.convert(mode)


def _pillow(data: bytes, protocol: Protocol) -> Decoded:
    if is_dicom(data):
        return _converted(Image.fromarray(dicom_pixels(data)), protocol)
    return _clipped(_opened(data, protocol), protocol)


def _clipped(image: Image.Image, protocol: Protocol) -> Image.Image:
    """Pillow's own way with more than 8 bits a pixel."""
    if image.mode.startswith(_DEEP):
        _warn_of_depth(image.mode, "is clipped: every value above 255 becomes white")
    return _converted(image, protocol)


def _pillow16(data: bytes, protocol: Protocol) -> Decoded:
    return _pillow(data, protocol) if is_dicom(data) else _scaled(_opened(data, protocol), protocol)


def _scaled(image: Image.Image, protocol: Protocol) -> Image.Image:
    """Pillow, but 16 bits a pixel are scaled to 8: 0 to 65535 becomes 0 to 255, rounded."""
    if image.mode.startswith("I;16"):
        deep = np.asarray(image).astype(np.int64)
        exif, image = image.getexif(), Image.fromarray(((deep + 128) // 257).astype(np.uint8))
        image.getexif().update(exif)
    elif image.mode.startswith(_DEEP):
        raise ValueError(f"mode {image.mode}: nothing tells the range of its values; save it with 8 or 16 bits")
    return _converted(image, protocol)


@functools.cache
def _warn_of_depth(mode: str, consequence: str) -> None:
    """Say once what becomes of pictures with more bits than a protocol's library takes."""
    logging.getLogger("densezoo").warning(
        "warning: pictures of Pillow's mode %s have more than 8 bits, which under this protocol %s; a protocol of your "
        "own with decoder: pil16 keeps their whole range (docs/protocols.md)",
        mode,
        consequence,
    )


def _opencv(data: bytes, protocol: Protocol) -> Decoded:
    """``cv2.imread`` or ``imdecode`` with IMREAD_COLOR, which keeps the high byte of 16 bits and drops alpha."""
    import cv2

    data = _filled(data, protocol)
    if (mode := _opened(data, protocol).mode).startswith(_DEEP):
        _warn_of_depth(mode, "keeps the high byte alone: values below 256 become black")
    orientation = 0 if protocol.exif else cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | orientation)
    if pixels is None:
        raise ValueError("OpenCV finds it truncated or broken")
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _torch7(data: bytes, protocol: Protocol) -> Decoded:
    """``image.load(file, 3, 'float')`` of https://github.com/torch/image (init.lua, generic/jpeg.c, generic/png.c).

    Of four channels it keeps the first three, whatever they are: of RGBA the colours, of CMYK the inks as libjpeg
    stores them. Two channels (grey with alpha) it refuses. A 16-bit PNG is divided by 65535.
    """
    file = _opened(_filled(data, protocol), protocol)
    if file.format not in _TORCH7_FORMATS:
        raise ValueError(f"Torch7 reads {', '.join(_TORCH7_FORMATS)}; this is {file.format}")
    if file.mode == "CMYK":
        return _bytes(_stored_inks(file)[..., :3])
    if file.format == "PNG":
        depth, colour_type = data[24], data[25]  # IHDR: https://www.w3.org/TR/png-3/#11IHDR
        if colour_type == 4:
            raise ValueError("Torch7 takes no grey-scale PNG with alpha")
        if _PNG_END not in data:
            raise ValueError("truncated PNG")  # after the last pixel, too: it calls png_read_end
        if depth == 16:
            return _png16(data)
    return _in_mode(file, "RGB")


def _png16(data: bytes) -> NDArray[np.float32]:
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("truncated or broken PNG")
    rgb = np.repeat(pixels[..., None], 3, 2) if pixels.ndim == 2 else pixels[..., 2::-1]
    scaled: NDArray[np.float32] = rgb.astype(np.float32) / np.float32(65535)
    return scaled


def _mindspore(data: bytes, protocol: Protocol) -> Decoded:
    """MindSpore's Decode (minddata/dataset/kernels/image/image_utils.cc): OpenCV, but its own formula for CMYK."""
    file = _opened(data, protocol)
    if file.mode != "CMYK" or file.format not in ("JPEG", "MPO"):
        return _opencv(data, protocol)
    inks = _stored_inks(file)
    light = inks if "adobe" in file.info else 255 - inks
    return _bytes(light[..., :3] * light[..., 3:] // 255)


def _stored_inks(file: Image.Image) -> NDArray[np.int64]:
    """CMYK (H, W, 4) as a JPEG stores it; Pillow inverts every such file, because Adobe's are inverted."""
    return 255 - np.asarray(file).astype(np.int64)


def _nvjpeg(data: bytes, protocol: Protocol) -> Decoded:
    from densezoo.data.nvjpeg import decode_files

    (planes,) = decode_files([data], ["this image"], "cuda")
    if isinstance(planes, ImageError):
        raise planes
    return planes.permute(1, 2, 0).cpu().numpy()


def _bytes(pixels: NDArray[np.int64]) -> NDArray[np.uint8]:
    return pixels.astype(np.uint8)


_DECODERS: dict[str, Callable[[bytes, Protocol], Decoded]] = {
    "pil": _pillow,
    "pil16": _pillow16,
    "cv2.imread": _opencv,
    "cv2.imdecode": _opencv,
    "torch7": _torch7,
    "mindspore": _mindspore,
    "nvjpeg": _nvjpeg,
}
