from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from densezoo import api
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import EvalResult

CONFIG, CHECKPOINT = api.DEMO


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, EvalResult]:
    """Predictions of the digits network, and its result."""
    path = tmp_path_factory.mktemp("predictions") / "a.parquet"
    (result,) = api.evaluate_protocols(CONFIG, CHECKPOINT, workers=0, device="cpu", predictions=path)
    return path, result


@pytest.fixture(scope="module")
def files(measured: tuple[Path, EvalResult]) -> tuple[Path, Path]:
    """Predictions of the digits network as it is, and without what it knows of the class 9."""
    folder = measured[0].parent
    network, _ = api.load_checkpoint(CHECKPOINT)
    weights = network.state_dict()
    weights["classifier.weight"][9] = 0
    write_safetensors(folder / "worse.safetensors", weights, {})
    worse = folder / "worse.safetensors"
    api.evaluate_protocols(CONFIG, worse, workers=0, device="cpu", predictions=folder / "b.parquet")
    return measured[0], folder / "b.parquet"


def test_measures(
    tool: Callable[..., int], measured: tuple[Path, EvalResult], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, result = measured
    assert tool("analyze", path, "--topk", 1, 2, 10, "--plot", tmp_path / "plot.png") == 0
    shown = capsys.readouterr().out
    assert f"top-1 {result.top1:.2f} %" in shown
    assert "top-10 100.00 %" in shown
    assert f"loss {result.loss:.4f} nats, expected calibration error {result.calibration_error:.2f} %" in shown
    assert "class 9 taken for 3" in shown
    with Image.open(tmp_path / "plot.png") as image:
        assert image.format == "PNG"
        assert len(image.convert("RGB").getcolors(1 << 20) or ()) > 10


def test_two_runs(tool: Callable[..., int], files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("analyze", *files) == 0
    assert "the first is really better" in capsys.readouterr().out
    assert tool("analyze", *reversed(files)) == 0
    assert "the second is really better" in capsys.readouterr().out
    assert tool("analyze", files[0], files[0]) == 0
    assert "exact p 1: the difference may be chance" in capsys.readouterr().out


def test_as_json_it_is_numbers(
    tool: Callable[..., int],
    files: tuple[Path, Path],
    measured: tuple[Path, EvalResult],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each of the text's, and every class and confusion; beside the comparison, the other run's facts."""
    result = measured[1]
    assert tool("analyze", *files, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["facts"]["model"], found["images"]) == (result.model, result.num_samples)
    assert found["accuracies"][0] == {
        "k": 1,
        "percent": result.top1,
        "interval95": list(result.interval95),
        "correct": result.correct1,
    }
    assert (found["loss"], found["calibration_error"]) == pytest.approx((result.loss, result.calibration_error))
    assert sum(each["correct"] for each in found["classes"]) == result.correct1
    assert sum(each["images"] for each in found["confusions"]) == result.num_samples - result.correct1
    assert sum(each["images"] for each in found["reliability"]) == result.num_samples
    comparison = found["comparison"]
    assert comparison["both"] + comparison["only_first"] == result.correct1
    assert comparison["p_value"] < 0.05
    assert comparison["with"]["model"] != result.model
    assert tool("analyze", files[0], "--quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("k", [0, 11])
def test_more_places_than_classes(
    tool: Callable[..., int], files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], k: int
) -> None:
    assert tool("analyze", files[0], "--topk", k) == 1
    assert f"--topk is [{k}]; expected numbers from 1 to 10" in capsys.readouterr().err


def test_a_plot_of_another_extension_is_refused_before_any_work(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("analyze", tmp_path / "there is no such file.parquet", "--plot", tmp_path / "x.tiff") == 1
    assert "x.tiff: the extension says what is written: expected, for a plot file, .png, .pdf, .svg; found .tiff" in (
        capsys.readouterr().err
    )


def test_plots_that_can_t_be(
    tool: Callable[..., int],
    files: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert tool("analyze", files[0], "--plot", tmp_path / "nowhere" / "x.png") == 1
    assert "x.png: the diagram can't be written (No such file" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert tool("analyze", files[0], "--plot", tmp_path / "x.png") == 1
    assert "pip install matplotlib, or in a clone of densezoo pip install -e '.[plots]'" in capsys.readouterr().err
