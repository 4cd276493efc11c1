from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from digit_pictures import MODEL, digit_pictures
from pyarrow import parquet

from densezoo.commands import features

Tool = Callable[..., int]


def test_vectors_with_their_names(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digit_pictures(tmp_path / "in", 3)
    common = ("features", MODEL, tmp_path / "in", "--workers", 0)
    assert tool(*common, "-o", tmp_path / "a.npy") == 0
    found = np.load(tmp_path / "a.npy")
    assert capsys.readouterr().out == f"written: {tmp_path}/a.npy: 3 pictures, {found.shape[1]:,} features each\n"
    names = [str(tmp_path / f"in/{i}.png") for i in range(3)]
    assert json.loads((tmp_path / "a.json").read_text())["images"] == names
    (tmp_path / "in/1.png").write_bytes(b"no image")
    assert tool(*common, "-o", tmp_path / "b.parquet", "--skip-unreadable") == 3
    kept = parquet.read_table(tmp_path / "b.parquet")
    assert kept["image"].to_pylist() == [names[0], names[2]]
    assert np.array_equal(np.array(kept["features"].to_pylist(), np.float32), found[[0, 2]])
    assert tool(*common, "-o", tmp_path / "c.npy") == 1
    assert not (tmp_path / "c.npy").exists()
    assert tool(*common, "-o", tmp_path / "c.txt") == 1
    assert "expected, for a features file, .npy, .parquet; found .txt" in capsys.readouterr().err


def test_help_fits_80_columns(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        features.main(["--help"])
    assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())


def test_a_few_of_the_pictures(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    digit_pictures(tmp_path / "in", 3)
    assert tool("features", MODEL, tmp_path / "in", "--workers", 0, "-o", tmp_path / "a.npy", "--limit", 1) == 0
    assert ": 1 of 3 pictures, " in capsys.readouterr().out
    stated = json.loads((tmp_path / "a.json").read_text())
    assert (stated["images"], stated["sampled_from"]) == ([str(tmp_path / "in/1.png")], 3)


@pytest.mark.parametrize("option", ["-o", "--out", "--output"])
def test_the_file_is_named_as_elsewhere_or_as_before(option: str) -> None:
    parser = features.make_parser()
    assert parser.parse_args(["densenet121", "a.png", option, "a.npy"]).output == Path("a.npy")
    assert f"{option} FILE" in parser.format_help(), "no abbreviation of another"
