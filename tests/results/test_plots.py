"""Diagrams as files: the extension's format, drawn from the bins."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densezoo.errors import ConfigError, MissingDependencyError, ResultError
from densezoo.results.plots import confused_most, confusion_matrix, reliability_diagram

BINS = [(10, 0.55, 0.3), (90, 0.95, 0.9)]


@pytest.mark.parametrize(
    ("end", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF-"), ("svg", b"<?xml"), ("PDF", b"%PDF-")]
)
def test_the_extension_decides_the_format(tmp_path: Path, end: str, start: bytes) -> None:
    reliability_diagram(tmp_path / f"plot.{end}", BINS, "a title")
    assert (tmp_path / f"plot.{end}").read_bytes().startswith(start)
    assert [path.name for path in tmp_path.iterdir()] == [f"plot.{end}"]


def test_what_is_written_says_what_is_drawn(tmp_path: Path) -> None:
    reliability_diagram(tmp_path / "p.svg", BINS, "densenet121, timm")
    text = (tmp_path / "p.svg").read_text()
    for words in ("densenet121, timm", "confidence, %", "accuracy, %", "calibrated", "measured"):
        assert f"<!-- {words} -->" in text


def blue(path: Path) -> tuple[float, float]:
    """The centre (right, up) of what is drawn in blue, as shares of the picture."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    y, x = np.nonzero(pixels[..., 2] - pixels[..., 0] > 60)
    return x.mean() / pixels.shape[1], 1 - y.mean() / pixels.shape[0]


def test_confidence_goes_right_and_accuracy_up(tmp_path: Path) -> None:
    for name, point in (("right", (9, 0.7, 0.2)), ("up", (9, 0.2, 0.7))):
        reliability_diagram(tmp_path / f"{name}.png", [point] * 2, "t")
    right, up = blue(tmp_path / "right.png"), blue(tmp_path / "up.png")
    assert right[0] > up[0] + 0.05
    assert right[1] < up[1] - 0.1


def test_without_a_bin_there_is_the_diagonal(tmp_path: Path) -> None:
    reliability_diagram(tmp_path / "p.svg", [], "t")
    text = (tmp_path / "p.svg").read_text()
    assert "<!-- calibrated -->" in text
    assert "<!-- measured -->" not in text


def test_diagrams_that_can_t_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ResultError, match=r"x.png: the diagram can't be written \(No such file"):
        reliability_diagram(tmp_path / "nowhere" / "x.png", BINS, "t")
    with pytest.raises(ConfigError, match="x.tiff: the extension says what is written: .* found .tiff"):
        reliability_diagram(tmp_path / "x.tiff", BINS, "t")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match="drawing diagrams .*pip install matplotlib, or"):
        reliability_diagram(tmp_path / "x.png", BINS, "t")
    assert not list(tmp_path.iterdir())


def test_a_dark_diagram_has_light_letters_and_says_the_error(tmp_path: Path) -> None:
    reliability_diagram(tmp_path / "p.png", BINS, "t", "dark", 3.5)
    reliability_diagram(tmp_path / "p.svg", BINS, "t", "dark", 3.5)
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.convert("RGB").getpixel((1, 1)) == (13, 17, 23)
        assert picture.width == 1660
    assert "expected calibration error 3.50 %" in (tmp_path / "p.svg").read_text()


def test_a_confusion_matrix_names_the_classes_and_counts_the_images(tmp_path: Path) -> None:
    table = np.array([[7, 3, 0], [0, 5, 0], [11, 0, 4]])
    confusion_matrix(tmp_path / "c.svg", table, ["cat", "dog", "a name of more than enough letters"], "t")
    text = (tmp_path / "c.svg").read_text()
    for words in ("cat", "dog", "a name of more than...", "label", "predicted", "7", "3", "5", "11", "4"):
        assert f"<!-- {words} -->" in text
    assert "classes that are confused most" not in text


def test_of_many_classes_those_are_shown_that_are_confused_most(tmp_path: Path) -> None:
    table = np.eye(30, dtype=np.int64)
    table[25, 3], table[4, 7], table[8, 9] = 5, 4, 1
    assert confused_most(table, 4) == [3, 4, 7, 25]
    assert confused_most(table, 5) == [3, 4, 7, 25]
    confusion_matrix(tmp_path / "c.svg", table, [f"name {i}" for i in range(30)], "t")
    text = (tmp_path / "c.svg").read_text()
    assert "the 6 of 30 classes that are confused most" in text
    assert "<!-- name 25 -->" in text
    assert "<!-- name 24 -->" not in text
