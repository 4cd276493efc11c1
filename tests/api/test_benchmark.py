"""What is stored of a benchmark: a row a file, and torchfile's time where it reads the file."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from densezoo import api
from densezoo.errors import FormatError
from densezoo.paths import ROOT

T7 = ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7"
PTH = ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth"


def test_a_row_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def load(name: str) -> object:
        asked.append(Path(name).name)
        if name.endswith(".t7"):
            return {}
        raise ValueError("no Torch7 file")

    monkeypatch.setitem(sys.modules, "torchfile", SimpleNamespace(load=load))
    path, rows = api.benchmark_formats([T7, PTH], rounds=2, folder=tmp_path / "new" / "folder")
    assert path == tmp_path / "new" / "folder" / "formats.json"
    stored = json.loads(path.read_text())
    assert (stored["files"], stored["rounds"]) == (rows, 2)
    assert {"versions", "date", "commit"} < set(stored)
    read, refused = rows
    assert asked == [T7.name] * 3 + [PTH.name]  # tried once, then run in each round
    assert (read["file"], read["mib"]) == (T7.name, T7.stat().st_size / 2**20)
    assert read["torchfile_seconds"] is not None
    assert read["ratio"] == read["torchfile_seconds"] / read["seconds"]
    assert (refused["torchfile_seconds"], refused["ratio"]) == (None, None)


def test_a_file_that_can_t_be_loaded_stores_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_bytes(b"<html>")
    with pytest.raises(FormatError, match=r"a.pth: this is an HTML page"):
        api.benchmark_formats([tmp_path / "a.pth"], folder=tmp_path / "out")
    assert not (tmp_path / "out").exists()
