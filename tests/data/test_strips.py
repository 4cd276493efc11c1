"""Parts of a resize are those of the whole, bit for bit, wherever the whole can be made."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

import forked
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from unusual_images import encoded, noise, png16

from densezoo.data import preprocess, strips
from densezoo.data.decoding import decode
from densezoo.data.preprocess import Preprocess, to_pixels
from densezoo.data.resampling import RESIZERS, resized_size
from densezoo.data.strips import Strip, fits
from densezoo.data.views import AUGMENTATIONS, to_views
from densezoo.errors import ImageError
from densezoo.protocols import get_protocol, same_kind
from densezoo.types import Protocol

IMAGENET = same_kind(get_protocol("timm"))
WAYS = [("pil", "bilinear"), ("pil", "bicubic"), ("cv2", "bilinear"), ("cv2", "bicubic"), ("torch7", "bicubic")]
ROOT = Path(__file__).resolve().parents[2]
#: One protocol of each way to decode and to resize.
A_PROTOCOL_EACH = {
    (each.decoder, each.resize_backend, each.interpolation, each.antialias, each.long_side): each
    for each in sorted(IMAGENET, key=lambda each: -(each.crop or 0))  # of each kind the one with the smallest crop
}.values()


@pytest.fixture
def everything_is_a_strip(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(preprocess, "MAX_PIXELS", 1)
    return monkeypatch


shapes = given(
    st.integers(1, 12), st.floats(20, 45), st.booleans(), st.sampled_from([256, 303, 320]), st.integers(0, 99)
)


@settings(max_examples=2)
@shapes
def test_parts_are_those_of_the_whole(short: int, ratio: float, upright: bool, resized: int, seed: int) -> None:
    check_parts(short, ratio, upright, resized, seed)


@pytest.mark.slow
@settings(max_examples=20)
@shapes
def test_many_parts_are_those_of_the_whole(short: int, ratio: float, upright: bool, resized: int, seed: int) -> None:
    check_parts(short, ratio, upright, resized, seed)


def check_parts(short: int, ratio: float, upright: bool, resized: int, seed: int) -> None:
    """Hold parts of a strip, of each way to resize, against the whole.

    Args:
        short, ratio: its sides in pixels are short and short x ratio.
        upright: the short side is the width.
        resized: what the short side becomes.
        seed: of its noise, and of a part's place.
    """
    long = int(short * ratio)
    image = noise(short, long, seed=seed) if upright else noise(long, short, seed=seed)
    size = resized_size(image.shape[1], image.shape[0], resized)
    for backend, interpolation in WAYS:
        strip, whole = Strip(image, size, backend, interpolation), RESIZERS[backend](image, size, interpolation)
        assert strip.shape == whole.shape[:2]
        for start in (0, 1, (max(size) - 224) // 2, max(size) - 224, seed * (max(size) - 224) // 99):
            part = slice(start, start + 224), slice(16, 240)
            rows, columns = part if upright else part[::-1]
            assert np.array_equal(strip[rows, columns], whole[rows, columns]), (backend, interpolation, start)


@pytest.mark.parametrize("way", [("pil", "bilinear"), ("pil", "bicubic"), ("cv2", "bilinear"), ("cv2", "bicubic")])
def test_parts_are_made_alone_by_the_library_s_own_arithmetic(way: tuple[str, str]) -> None:
    """Else the tests above would hold a whole to itself. Where this fails, a library here is built in another way."""
    for short in (1, 2, 3, *([] if way == ("cv2", "bicubic") else [4, 7, 23])):
        for upright in (True, False):
            assert strips._is_library_s(*way, upright, short, 256)


def test_grey_strips() -> None:
    image = Image.fromarray(noise(3, 200, 1))
    whole = RESIZERS["pil"](image, (256, 17_066), "bicubic")
    part = slice(8_000, 8_224), slice(16, 240)
    assert np.array_equal(Strip(image, (256, 17_066), "pil", "bicubic")[part], whole[part])


@pytest.mark.parametrize(
    "protocol",
    [pytest.param(each, id=each.name, marks=[] if each in A_PROTOCOL_EACH else pytest.mark.slow) for each in IMAGENET],
)
@pytest.mark.parametrize(
    "size",
    [
        (1, 17),
        (121, 7),
        *(pytest.param(size, marks=pytest.mark.slow) for size in [(17, 1), (3, 50), (7, 60), (31, 40)]),
    ],
)
def test_a_protocol_gives_the_same_pixels_from_a_strip(
    everything_is_a_strip: pytest.MonkeyPatch, protocol: Protocol, size: tuple[int, int]
) -> None:
    decoded = decode(encoded(Image.fromarray(noise(*size)), "PNG"), protocol, "x.png")
    found = [to_pixels(decoded, protocol), *(to_views(decoded, protocol, views) for views in AUGMENTATIONS.values())]
    everything_is_a_strip.undo()
    whole = [to_pixels(decoded, protocol), *(to_views(decoded, protocol, views) for views in AUGMENTATIONS.values())]
    assert all(torch.equal(one, other) for one, other in zip(found, whole))


def test_16_bits_keep_theirs(everything_is_a_strip: pytest.MonkeyPatch) -> None:
    torch7 = Preprocess(get_protocol("torch7"))
    strip = torch7(png16(3))
    everything_is_a_strip.undo()
    assert torch.equal(strip, torch7(png16(3)))


LONGEST = """
import json, resource, sys, torch, densezoo, cv2
from PIL import Image
from densezoo.data import preprocess
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for size in json.loads(sys.argv[1]):
    image = Image.linear_gradient("L").convert("RGB").resize(size)
    for name in sys.argv[2:]:
        pixels = densezoo.get_protocol(name)(image)
        assert pixels.shape[1] == pixels.shape[2] == densezoo.get_protocol(name).protocol.crop
        assert torch.isfinite(pixels).all()
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


LONG = [(3, 20_000), (1, 65_500), (65_500, 1)]


@pytest.mark.parametrize(
    ("sizes", "protocols"),
    [
        (LONG[::2], A_PROTOCOL_EACH),
        pytest.param(LONG, IMAGENET, marks=pytest.mark.slow),
        pytest.param([(1, 5000), (5000, 1), (2, 9000)], IMAGENET, marks=pytest.mark.slow),
    ],
)
def test_the_longest_strips_take_little_memory(sizes: list[tuple[int, int]], protocols: Iterable[Protocol]) -> None:
    """In a process of its own, which has taken none before; the whole would be 1 to 13 GB."""
    names = [protocol.name for protocol in protocols]
    ran = forked.run(["-c", LONGEST, json.dumps(sizes), *names], cwd=ROOT)
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) < 400, "MiB"


@pytest.mark.parametrize(
    ("size", "known", "expected"),
    [
        ((1, 65_535), True, True),
        ((1, 65_536), True, False),
        ((65_536, 1), True, False),
        ((2, 131_070), True, True),
        ((4, 24_000), False, True),  # 393 million pixels
        ((4, 25_000), False, False),  # 410 million
    ],
)
def test_the_bounds(monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], known: bool, expected: bool) -> None:
    monkeypatch.setattr(strips, "_is_library_s", lambda *way: known)
    assert fits(size, resized_size(*size, 256), "cv2", "bicubic") == expected
    keras = get_protocol("keras")
    if expected:
        decode(Image.new("RGB", size), keras, "x.png")
    else:
        with pytest.raises(ImageError, match="x.png: can't be decoded .* becomes .* pixels, more than 178,956,970"):
            decode(Image.new("RGB", size), keras, "x.png")


def test_a_protocol_without_a_crop_needs_the_whole() -> None:
    whole = dataclasses.replace(get_protocol("timm"), crop=None)
    with pytest.raises(ImageError, match="1 x 5000 becomes 327,680,000 pixels"):
        decode(Image.new("RGB", (1, 5000)), whole, "x.png")


@pytest.mark.parametrize(("backend", "interpolation"), [("pil", "bicubic"), ("cv2", "bilinear")])
def test_another_arithmetic_than_the_library_s_is_not_used(
    monkeypatch: pytest.MonkeyPatch, backend: str, interpolation: str
) -> None:
    """One sample in a thousand that is one off, and the whole is made."""
    right = strips._PARTS[backend]

    def wrong(*given: object) -> np.ndarray:
        part: np.ndarray = right(*given).copy()  # type: ignore[arg-type]
        part.reshape(-1)[::1000] ^= 1
        return part

    monkeypatch.setitem(strips._PARTS, backend, wrong)
    strips._is_library_s.cache_clear()
    image, size, part = noise(5, 99), (256, 5068), (slice(2000, 2224), slice(16, 240))
    try:
        assert not strips._is_library_s(backend, interpolation, True, 5, 256)
        whole = RESIZERS[backend](image, size, interpolation)
        assert np.array_equal(Strip(image, size, backend, interpolation)[part], whole[part])
    finally:
        strips._is_library_s.cache_clear()
