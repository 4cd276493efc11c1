"""Files that end too early: read, with the same pixels, by the decoders that publishers read them by, or refused."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from unusual_images import encoded, photograph

from densezoo.data.decoding import decode, is_truncated
from densezoo.errors import ImageError
from densezoo.protocols import PROTOCOLS

OPEN_MODEL_ZOO = ("open-model-zoo", "open-model-zoo-keras", "open-model-zoo-pudae")
FILLING = ("caffe", "keras", "mxnet", "flyyufelix", "torch7", *OPEN_MODEL_ZOO)
REFUSING = ("torchvision", "timm", "mmpretrain", "mindcv", "mindvision", "pudae", "kerascv")


def with_thumbnail(kind: str = "JPEG") -> bytes:
    """A JPEG with another one, end marker and all, in its EXIF."""
    thumbnail = encoded(photograph(32, 24, seed=5), "JPEG")
    exif = b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0" + thumbnail
    data = encoded(photograph(90, 70), kind)
    return data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:]


JPEGS = {
    "baseline": encoded(photograph(90, 70), "JPEG"),
    "without subsampling": encoded(photograph(61, 83), "JPEG", subsampling=0, quality=95),
    "progressive": encoded(photograph(90, 70), "JPEG", progressive=True),
    "grey": encoded(photograph(90, 70).convert("L"), "JPEG"),
    "progressive grey": encoded(photograph(90, 70).convert("L"), "JPEG", progressive=True),
    "restart markers": encoded(photograph(90, 70), "JPEG", restart_marker_blocks=2),
    "thumbnail": with_thumbnail(),
    "long segments": encoded(photograph(40, 30), "JPEG", icc_profile=bytes(range(256)) * 9, comment=b"x" * 3001),
    "cmyk": encoded(photograph(90, 70).convert("CMYK"), "JPEG"),
}
OTHERS = {
    "png": encoded(photograph(60, 40), "PNG"),
    "grey png": encoded(photograph(60, 40).convert("L"), "PNG"),
    "webp": encoded(photograph(60, 40), "WEBP"),
}


def ends(data: bytes) -> list[int]:
    """Where to cut: all over the file, closely in its headers and at its end."""
    places = {*range(3, min(len(data), 800), 41), *range(3, len(data), max(1, len(data) // 50))}
    return sorted({*places, *range(len(data) - 4, len(data) + 1)})


def pixels(data: bytes, name: str) -> NDArray[np.uint8] | None:
    try:
        return np.asarray(decode(data, PROTOCOLS[name], "x.jpg"))
    except ImageError:
        return None


def same(one: NDArray[np.uint8] | None, bgr: cv2.typing.MatLike | None) -> bool:
    return bgr is None if one is None else bgr is not None and np.array_equal(one, bgr[..., ::-1])


@pytest.mark.parametrize("kind", [*JPEGS, *OTHERS])
def test_every_end_is_read_as_imread_and_imdecode_read_it(tmp_path: Path, kind: str) -> None:
    whole = {**JPEGS, **OTHERS}[kind]
    filled = 0
    for end in ends(whole):
        data = whole[:end]
        (tmp_path / "x.jpg").write_bytes(data)
        by_file = cv2.imread(str(tmp_path / "x.jpg"), cv2.IMREAD_COLOR)
        by_memory = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert same(pixels(data, "caffe"), by_file), end
        assert same(pixels(data, "mmpretrain"), by_memory), end
        if kind not in ("webp", "cmyk"):  # which Torch7 doesn't read, and reads otherwise
            assert same(pixels(data, "torch7"), by_file), end
        if by_file is not None:
            assert is_truncated(data, PROTOCOLS["caffe"]) == (by_memory is None), end
            filled += by_memory is None
    assert bool(filled) == (kind in JPEGS)


@pytest.mark.parametrize("kind", JPEGS)
def test_what_is_there_stays_and_the_rest_is_filled(kind: str) -> None:
    whole = JPEGS[kind]
    half = whole[:-200]
    for name in FILLING:
        found, full = pixels(half, name), pixels(whole, name)
        assert found is not None
        assert full is not None
        if "progressive" not in kind:
            assert np.array_equal(found[:8], full[:8])
        assert not np.array_equal(found, full)
    for name in REFUSING:
        with pytest.raises(ImageError, match=r"half\.jpg: can't be decoded \(.*(truncated|broken)"):
            decode(half, PROTOCOLS[name], "half.jpg")


@pytest.mark.parametrize("name", PROTOCOLS)
def test_which_protocols_fill(name: str) -> None:
    half = JPEGS["baseline"][:-100]
    assert is_truncated(half, PROTOCOLS[name]) == (name in FILLING)
    assert (pixels(half, name) is not None) == (name in FILLING)


@pytest.mark.parametrize(
    ("data", "truncated"),
    [
        *((whole, False) for whole in JPEGS.values()),
        *((whole, False) for whole in OTHERS.values()),
        *((whole[: len(whole) // 2], False) for whole in OTHERS.values()),
        (JPEGS["baseline"] + bytes(1000), False),  # what follows the picture is no part of it
        (JPEGS["baseline"] + JPEGS["progressive"][:300], False),  # as in a MPO whose second picture is cut off
        (JPEGS["baseline"][:-2], True),
        (JPEGS["baseline"][:-1], True),
        (JPEGS["thumbnail"][:-2], True),  # there is an end marker: the thumbnail's
        (JPEGS["progressive"][:-2] + bytes(8), True),
        (JPEGS["baseline"][:-2] + b"\xff\xff\xd9", False),  # a marker may have padding before it
    ],
)
def test_which_files_are_truncated(data: bytes, truncated: bool) -> None:
    for name in FILLING:
        assert is_truncated(data, PROTOCOLS[name]) == truncated
    for name in REFUSING:
        assert not is_truncated(data, PROTOCOLS[name])


def test_a_png_without_its_end_chunk_is_refused_by_torch7() -> None:
    """libpng's png_read_end, which it calls after the last row, fails."""
    for data in (OTHERS["png"], encoded(Image.new("I;16", (9, 9), 700), "PNG")):
        assert pixels(data, "torch7") is not None
        assert pixels(data[:-12], "torch7") is None
        assert pixels(data[:-1], "torch7") is None
