"""The faster decoder is used for nothing that it decodes otherwise than the protocol's own."""

from __future__ import annotations

import copy
import functools

import numpy as np
import pytest
from PIL import Image
from unusual_images import SIZES, UNUSUAL, encoded, oriented, photograph

from densezoo.data import jpeg
from densezoo.data.decoding import Decoded, decode
from densezoo.data.equality import AGAIN, ENOUGH
from densezoo.data.jpeg import EqualDecoder, plain_kind
from densezoo.errors import DatasetError, ImageError
from densezoo.protocols import get_protocol, same_kind
from densezoo.types import Protocol

pytest.importorskip("simplejpeg")

TORCHVISION = get_protocol("torchvision")
FORMS: dict[str, dict[str, object]] = {
    "4:4:4": {"subsampling": 0},
    "4:2:2": {"subsampling": 1},
    "4:2:0": {"subsampling": 2},
    "progressive": {"progressive": True},
    "of RGB": {"keep_rgb": True},
    "with restarts": {"restart_marker_rows": 1},
    "rough": {"quality": 20},
}


def decoded(decoder: EqualDecoder, data: bytes, protocol: Protocol = TORCHVISION) -> tuple[np.ndarray, bool]:
    """(pixels, whether the protocol's own decoder made them)."""
    own_too = []

    def own() -> Decoded:
        own_too.append(True)
        return decode(data, protocol, "x")

    return np.asarray(decoder.decode(data, protocol, "x", own)), bool(own_too)


def known(protocol: Protocol = TORCHVISION, **form: object) -> EqualDecoder:
    """A decoder that has seen photographs of a form."""
    decoder = EqualDecoder()
    for seed in range(ENOUGH):
        assert decoded(decoder, encoded(photograph(64, 50, seed), "JPEG", **form), protocol)[1]
    return decoder


_known = functools.cache(known)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("name", sorted({p.decoder: p.name for p in same_kind(TORCHVISION)}.values()))
def test_each_form_of_photograph_is_decoded_as_the_protocol_does(name: str, form: dict[str, object]) -> None:
    protocol = get_protocol(name)
    decoder = known(protocol, **form)
    faster = 0
    for seed, (width, height) in enumerate(SIZES):
        data = encoded(photograph(width, height, 100 + seed), "JPEG", **form)
        pixels, by_own = decoded(decoder, data, protocol)
        assert np.array_equal(pixels, np.asarray(decode(data, protocol, "x")))
        faster += not by_own
    assert faster == len(SIZES)


@pytest.mark.parametrize("name", sorted(UNUSUAL))
def test_the_unusual_is_decoded_as_the_protocol_does(name: str) -> None:
    for protocol in {(each.decoder, each.exif): each for each in same_kind(TORCHVISION)}.values():
        decoder = copy.deepcopy(_known(protocol))
        for _ in range(ENOUGH + 1):
            expected, found = outcome(None, UNUSUAL[name], protocol), outcome(decoder, UNUSUAL[name], protocol)
            assert np.array_equal(expected, found), protocol.name


def outcome(decoder: EqualDecoder | None, data: bytes, protocol: Protocol) -> np.ndarray:
    """The pixels, or the text of the error."""
    try:
        pixels = decode(data, protocol, "x") if decoder is None else decoded(decoder, data, protocol)[0]
    except ImageError as error:
        return np.array(str(error))
    return np.asarray(pixels)


HARD = {
    "cmyk": encoded(photograph(90, 70).convert("CMYK"), "JPEG"),
    "png": encoded(photograph(90, 70), "PNG"),
    "truncated": encoded(photograph(90, 70), "JPEG")[:-40],
    "broken inside": (whole := encoded(photograph(90, 70), "JPEG"))[:700] + whole[900:],
    "bytes after its end": encoded(photograph(90, 70), "JPEG") + bytes(9),
    "empty": b"",
    "only its start": b"\xff\xd8\xff\xd9",
}


@pytest.mark.parametrize("name", HARD)
def test_what_is_no_whole_plain_jpeg_is_left_to_the_protocol_s_own(name: str) -> None:
    decoder = known()
    expected = outcome(None, HARD[name], TORCHVISION)
    assert np.array_equal(outcome(decoder, HARD[name], TORCHVISION), expected)
    assert expected.ndim == 0 or decoded(decoder, HARD[name])[1]


def test_a_file_with_exif_is_turned_where_the_protocol_turns_it() -> None:
    turning = [protocol for protocol in same_kind(TORCHVISION) if protocol.exif]
    assert turning
    for protocol in (*turning, TORCHVISION):
        decoder = known(protocol)
        pixels, by_own = decoded(decoder, oriented(6), protocol)
        assert by_own == protocol.exif
        assert pixels.shape[:2] == ((90, 70) if protocol.exif else (70, 90))


def test_grey_pictures_in_colour_files_and_small_ones_prove_nothing() -> None:
    decoder = EqualDecoder()
    for seed in range(3 * ENOUGH):
        for image in (photograph(64, 50, seed).convert("L").convert("RGB"), photograph(20, 20, seed)):
            assert decoded(decoder, encoded(image, "JPEG"))[1]
        assert decoded(decoder, encoded(Image.new("RGB", (64, 50), (200, 40, 40)), "JPEG"))[1]
    for seed in range(ENOUGH):
        assert decoded(decoder, encoded(photograph(64, 50, seed), "JPEG"))[1]
    assert not decoded(decoder, encoded(photograph(64, 50, 99), "JPEG"))[1]
    grey = [encoded(photograph(64, 50, seed).convert("L"), "JPEG") for seed in range(ENOUGH + 1)]
    assert [decoded(decoder, data)[1] for data in grey] == [True] * ENOUGH + [False], "grey files prove grey files"


def test_one_kind_proves_nothing_of_another() -> None:
    decoder = known(subsampling=0)
    assert not decoded(decoder, encoded(photograph(64, 50, 99), "JPEG", subsampling=0))[1]
    for form in ({"subsampling": 2}, {"subsampling": 0, "progressive": True}):
        assert decoded(decoder, encoded(photograph(64, 50, 99), "JPEG", **form))[1]


def lying(monkeypatch: pytest.MonkeyPatch, about: dict[str, object]) -> None:
    """Let simplejpeg give other pixels for one form."""
    wrong = plain_kind(encoded(photograph(64, 50), "JPEG", **about))
    assert wrong is not None
    honest = jpeg._simplejpeg

    def changed(data: bytes) -> jpeg.Pixels | None:
        pixels, kind = honest(data), plain_kind(data)
        return np.bitwise_xor(pixels, np.uint8(1)) if pixels is not None and kind and kind[0] == wrong[0] else pixels

    monkeypatch.setattr(jpeg, "_simplejpeg", changed)


def test_a_kind_that_it_decodes_otherwise_is_left_to_the_protocol_s_own(monkeypatch: pytest.MonkeyPatch) -> None:
    lying(monkeypatch, {"progressive": True})
    decoder = known()
    for seed in range(2 * ENOUGH):
        data = encoded(photograph(64, 50, seed), "JPEG", progressive=True)
        pixels, by_own = decoded(decoder, data)
        assert by_own
        assert np.array_equal(pixels, np.asarray(decode(data, TORCHVISION, "x")))
    assert decoder.seen.kinds == (1, 1)


def test_a_difference_that_comes_late_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = known()
    lying(monkeypatch, {})
    files = [encoded(photograph(64, 50, seed % 7), "JPEG") for seed in range(AGAIN)]
    with pytest.raises(DatasetError, match=r"x: simplejpeg gives other pixels than the protocol's own library"):
        list(map(functools.partial(decoded, decoder), files))
