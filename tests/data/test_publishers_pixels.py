"""Protocols against what their publishers' own packages made of the pictures in tests/fixtures/protocols.

record.py there ran them; the packages themselves, some of them for old Pythons alone, are not needed here.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import densezoo
from densezoo.data.decoding import decode
from densezoo.data.preprocess import to_pixels
from densezoo.errors import ImageError
from densezoo.protocols import get_protocol
from densezoo.protocols.evidence import EVIDENCE, Evidence

FOLDER = Path(__file__).resolve().parent.parent / "fixtures" / "protocols"
RECORDED = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
CASES = [(name, picture) for name, facts in RECORDED.items() for picture in facts["pictures"]]
IN_FLOATS, SHA256 = "in floats", 64
#: {protocol: the largest difference of a JPEG file's values, 4 of 255: TensorFlow's decoder is a fast, inexact one}
INEXACT_JPEG = {"pudae": 0.068, "kerascv": 0.016}
#: Of a file that ends early, OpenCV 3 and 4.4 filled the rest; what the tests run with refuses it.
FILLED_BY_OLD_OPENCV = ("gluon", "gluon-record", "paddle")


def is_tensor(outcome: str) -> bool:
    return outcome == IN_FLOATS or len(outcome) == SHA256


def theirs(name: str, picture: str) -> np.ndarray:
    """The points that are stored of the publisher's input, (3, SIDE, SIDE)."""
    pictures = [own for own, outcome in RECORDED[name]["pictures"].items() if is_tensor(outcome)]
    points: np.ndarray = np.load(FOLDER / f"{name}.npy")[pictures.index(picture)]
    return points


def test_every_picture_was_tried() -> None:
    pictures = {path.name for path in (FOLDER / "images").iterdir()}
    for name, facts in RECORDED.items():
        assert facts["protocol"] == name
        assert set(facts["pictures"]) == pictures


@pytest.mark.parametrize(("name", "picture"), CASES)
def test_the_publisher_s_pixels(name: str, picture: str) -> None:
    path, outcome = FOLDER / "images" / picture, RECORDED[name]["pictures"][picture]
    if not is_tensor(outcome) or (picture == "cut_short.jpg" and name in FILLED_BY_OLD_OPENCV):
        with pytest.raises(ImageError):
            densezoo.get_protocol(name)(path)
        return
    protocol = get_protocol(name)
    if outcome != IN_FLOATS:
        pixels = to_pixels(decode(path.read_bytes(), protocol, picture), protocol).numpy()
        assert hashlib.sha256(pixels.tobytes()).hexdigest() == outcome
    ours, expected = densezoo.get_protocol(name)(path).numpy(), theirs(name, picture)
    points = np.linspace(0, ours.shape[-1] - 1, expected.shape[-1]).astype(int)
    largest = INEXACT_JPEG.get(name) if picture.endswith(".jpg") else None
    largest = EVIDENCE[name].largest if largest is None else largest
    assert largest is not None
    assert np.abs(ours[:, points][:, :, points] - expected).max() <= largest


def test_what_the_documents_say_was_run_is_what_was_run() -> None:
    for name, facts in RECORDED.items():
        for package, version in facts["packages"].items():
            assert str(INEXACT_JPEG.get(name, "")) in EVIDENCE[name].differs
            assert f"{package} {version}" in EVIDENCE[name].held_to, name
    claimed = {name for name, evidence in EVIDENCE.items() if evidence.kind is Evidence.Kind.RECORDED}
    assert claimed - {"torch7"} == set(RECORDED)
