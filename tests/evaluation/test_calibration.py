from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from densezoo import api
from densezoo.data.datasets import open_dataset
from densezoo.data.images import ImageSet
from densezoo.evaluation.calibration import NUM_IMAGES, calibration_pixels, chosen_positions, identify
from densezoo.protocols import get_protocol
from densezoo.results.store import read_results


class Numbered(ImageSet):
    """8 x 8 images, each of its own grey."""

    def read(self, index: int) -> NDArray[np.uint8]:
        return np.full((8, 8), index % 256, np.uint8)


def numbered(number: int) -> Numbered:
    return Numbered("", [f"image {i}" for i in range(number)], [0] * number)


@pytest.mark.parametrize(("number", "expected"), [(1, [0]), (299, list(range(299))), (900, list(range(0, 900, 3)))])
def test_images_are_evenly_spaced(number: int, expected: list[int]) -> None:
    assert chosen_positions(numbered(number)) == expected
    assert len(chosen_positions(numbered(50_000))) == NUM_IMAGES


def test_their_pixels_are_the_protocol_s() -> None:
    pixels = calibration_pixels(numbered(600), get_protocol("digits"))
    assert pixels.shape == (NUM_IMAGES, 1, 8, 8)
    assert pixels[:, 0, 0, 0].tolist() == [i % 256 for i in range(0, 600, 2)]


def test_the_result_names_them_by_what_they_are() -> None:
    known = identify(numbered(600), "digits")
    assert (known.dataset, known.num_images, len(known.sha256)) == ("digits", 300, 64)
    assert known == identify(numbered(600), "digits")
    renamed = dataclasses.replace(numbered(600), ids=[f"other {i}" for i in range(600)])
    others = [identify(images, "digits").sha256 for images in (numbered(700), renamed)]
    assert len({known.sha256, *others}) == 3


def test_a_result_in_int8_names_its_training_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command to the file, over the digits, whose training images ship with scikit-learn."""
    pytest.importorskip("openvino", reason="openvino is not installed: pip install -e '.[openvino]'")
    pytest.importorskip("nncf", reason="nncf is not installed: pip install -e '.[openvino]'")
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    chosen = (*api.DEMO, "--workers", 0, "--device", "cpu", "--out", tmp_path, "--backend", "openvino")
    assert tool("test", *chosen, "--precision", "int8", "--calibration", tmp_path) == 0
    (result,) = read_results(tmp_path)
    (path,) = tmp_path.glob("digits/*.json")
    assert path.name == "densenet_bc_22_8.densezoo_digits@digits+openvino+int8.json"
    assert result.calibration == identify(open_dataset("digits", None, "train"), "digits")
    assert {"openvino", "nncf", "onnx"} < set(result.versions)
    assert 885 - 9 <= result.correct1 <= 885 + 9
    capsys.readouterr()
    assert tool("test", *chosen, "--calibration", tmp_path) == 1
    assert "--calibration is for --precision int8, found float32" in capsys.readouterr().err
