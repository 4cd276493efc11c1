from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from digit_pictures import MODEL, digit_pictures
from PIL import Image
from pyarrow import parquet

from densezoo.commands import predict
from densezoo.paths import ROOT

Tool = Callable[..., int]
CONFIG = "configs/digits/densenet_bc_22_8_digits.py"


@pytest.fixture
def digits(tmp_path: Path) -> list[int]:
    """The digits of ``0.png`` to ``2.png`` in ``tmp_path/in``."""
    return digit_pictures(tmp_path / "in", 3)


def test_a_table(tool: Tool, digits: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("predict", MODEL, tmp_path / "in/0.png", "--topk", 2, "--workers", 0) == 0
    first, second, *answers = capsys.readouterr().out.splitlines()
    assert (first, second) == (f"{MODEL}, protocol digits", str(tmp_path / "in/0.png"))
    assert len(answers) == 2
    assert answers[0].split()[:3] == [answers[0].split()[0], "%", str(digits[0])]


def test_a_config_with_its_checkpoint_for_machines(
    tool: Tool, digits: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint = (ROOT / CONFIG).with_suffix(".safetensors")
    common = ("predict", CONFIG, checkpoint, "in", "--workers", 0, "--topk", 1)
    assert tool(*common, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["answers"][0]["class"] for each in found["predictions"]] == digits
    assert [each["image"] for each in found["predictions"]] == ["in/0.png", "in/1.png", "in/2.png"]
    assert (found["model"], found["protocol"]) == (MODEL, "digits")
    assert found["backend"] in ("native", "eager")
    assert tool(*common, "--csv", "--parquet", "a.parquet") == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["class"]) for row in rows] == digits
    assert parquet.read_table("a.parquet")["class"].to_pylist() == digits
    assert tool(*common, "--format", "dict", "--class-names", "digits") == 0
    assert capsys.readouterr().out.splitlines() == [f"{{{digit}: '{digit}'}}" for digit in digits]


def test_standard_input_and_a_picture_with_its_label(
    tool: Tool, digits: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (tmp_path / "in/0.png").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert tool("predict", MODEL, "-", "--draw", tmp_path / "a.png", "--workers", 0, "--format", "dict") == 0
    assert capsys.readouterr().out == f"{{{digits[0]}: '{digits[0]}'}}\n"
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.size == (320, 320)
    assert tool("predict", MODEL, tmp_path / "in", "--draw", tmp_path / "out", "--workers", 0) == 0
    assert len(list((tmp_path / "out").iterdir())) == 3
    (tmp_path / "in/0-png").mkdir()
    for name in ("in/a-b.png", "in/a/b.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert tool("predict", MODEL, tmp_path / "in", "--draw", tmp_path / "out", "--workers", 0) == 1
    assert "two pictures would get the same name there" in capsys.readouterr().err


def test_an_unreadable_picture_is_an_error_or_is_named_and_skipped(
    tool: Tool,
    digits: list[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (tmp_path / "in/1.png").write_bytes(b"no image")
    assert tool("predict", MODEL, tmp_path / "in", "--workers", 0) == 1
    assert f"error: {tmp_path}/in/1.png: can't be decoded (no image format that Pillow knows" in capsys.readouterr().err
    assert tool("predict", MODEL, tmp_path / "in", "--workers", 0, "--skip-unreadable", "--json") == 3
    found = json.loads(capsys.readouterr().out)["predictions"]
    assert [bool(each["answers"]) for each in found] == [True, False, True]
    assert found[1]["error"].startswith("can't be decoded")
    assert [message for message in caplog.messages if message.startswith(f"warning: skipped: {tmp_path}/in/1.png")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["densenet121.tv_in1", "a.png"], "a.png: there is no such image, folder or tar"),
        (["densenet121.tv_in1", "in"], "there is no model 'densenet121.tv_in1'; did you mean 'densenet121.tv_in1k'?"),
        ([CONFIG, "in"], f"expected a checkpoint and then pictures after the config {CONFIG}; found in"),
        (["a.pth", CONFIG, "in"], f"config and checkpoint are swapped: expected {CONFIG} a.pth, the config first"),
        ([MODEL, "in", "--protocol", "tim"], "there is no protocol 'tim'"),
        ([MODEL, "in", "--protocol", "timm"], "network takes images of 1 channels, and protocol timm gives 3 (RGB)"),
        ([MODEL, "in", "--parquet", "a.csv"], "a.csv: the extension says what is written"),
        ([MODEL, "in", "--class-names", "no.txt"], "no.txt: class names can't be read"),
    ],
)
def test_mistakes(
    tool: Tool,
    digits: list[int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert tool("predict", *arguments) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("error: ")
    assert message in shown.err
    assert shown.err.count("\n") == 1


def test_help_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        predict.main(["--help"])
    shown = capsys.readouterr().out
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "3: some can't be read" in " ".join(shown.split())


def test_a_few_of_the_pictures(
    tool: Tool, digits: list[int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("predict", MODEL, tmp_path / "in", "--workers", 0, "--limit", 1)
    assert tool(*common) == 0
    first, image, *_ = capsys.readouterr().out.splitlines()
    assert (first, image) == (f"{MODEL}, protocol digits, a sample of 3 pictures", str(tmp_path / "in/1.png"))
    assert tool(*common, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["sampled_from"], len(found["predictions"])) == (3, 1)
