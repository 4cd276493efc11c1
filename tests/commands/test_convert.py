"""Conversion as a command: what a person reads of it, and what a program does."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.commands.convert import EXTENSIONS, TARGETS
from densezoo.conversion import export
from densezoo.families import families
from densezoo.formats.identity import file_sha256
from densezoo.paths import ROOT

SOURCE = ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth"


def test_the_targets_are_those_of_export() -> None:
    """They stand in the command a second time, because torch isn't imported for its help."""
    assert {end: tuple(systems) for end, systems in EXTENSIONS.items()} == export.extensions(*families())
    assert sorted(TARGETS) == sorted(export.TARGETS)


def test_the_report_ends_with_what_was_written_and_verified(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("convert", SOURCE, tmp_path / "m.safetensors", "--verify") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"{SOURCE}: torchvision-legacy names in a pytorch file"
    at = lines.index(f"written: {tmp_path}/m.safetensors (densezoo), read back bit for bit")
    assert len(lines) > at + 1
    for line in lines[at + 1 :]:  # a system each, and that it ran here: torchvision is a dependency
        assert re.fullmatch(r"  .+: largest relative error \d\.\de[-+]\d\d", line), line


def test_as_json(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("convert", SOURCE, tmp_path / "m.pth", "--to", "timm", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["missing"] == report["unexpected"] == []
    assert report["written"] == {
        "path": str(tmp_path / "m.pth"),
        "to": "timm",
        "sha256": file_sha256(tmp_path / "m.pth"),
        "source_sha256": file_sha256(SOURCE),
        "verified": {},
    }


def test_a_folder_is_converted_file_by_file_and_a_refused_one_gives_status_1(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    shutil.copy(SOURCE, tmp_path / "in/deep/good.pth")
    assert tool("convert", tmp_path / "in", tmp_path / "out", "--to", "densezoo", "--quiet") == 0
    assert [path.name for path in (tmp_path / "out/deep").iterdir()] == ["good.safetensors"]
    (tmp_path / "in/notes.txt").write_text("no weights")
    shutil.copy(SOURCE, tmp_path / "in/deep/good.pt")
    assert tool("convert", tmp_path / "in", tmp_path / "out", "--to", "densezoo", "--json") == 1
    shown = json.loads(capsys.readouterr().out)
    assert set(shown["converted"]) == {str(tmp_path / "in/deep/good.pt")}
    assert set(shown["refused"]) == {str(tmp_path / "in/deep/good.pth"), str(tmp_path / "in/notes.txt")}
    assert "another file of the folder was written there" in shown["refused"][str(tmp_path / "in/deep/good.pth")]
    assert tool("convert", tmp_path / "in", tmp_path / "out") == 1
    assert "is a folder; expected --to" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--pixels", "own", "--verify"), "--verify runs a file of weights alone, which --pixels doesn't write"),
        (("--to", "hf", "--verify"), "--verify runs a file of weights alone, which --to hf doesn't write"),
        (("--pixels", "own", "--to", "keras"), "--pixels writes an .onnx file, and --to keras asks for another"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert tool("convert", SOURCE, tmp_path / "m.onnx", *options) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "m.onnx").exists()
