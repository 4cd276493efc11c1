"""Published weights fetched into the cache, as a command."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import CONTENT, NAME, NOWHERE

from densezoo.index import download
from densezoo.index.load import get_spec
from densezoo.types import WeightSource


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the folder in it of the model, whose only file is to be had from mirrors alone."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DENSEZOO_MIRRORS", raising=False)
    spec = dataclasses.replace(get_spec(NAME), weights=(WeightSource("torch", "pickle", url=NOWHERE),))
    monkeypatch.setattr(download, "get_spec", lambda name: spec)
    return tmp_path / "home" / "weights" / NAME


def test_a_line_a_model_says_where_its_file_is(
    tool: Callable[..., int], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = cache / f"{NAME}.pickle"
    mirror = tmp_path / "mirror" / NAME
    mirror.mkdir(parents=True)
    (mirror / path.name).write_bytes(CONTENT)
    gone, there = ("--mirror", tmp_path / "gone"), ("--mirror", tmp_path / "mirror")
    assert tool("fetch_weights", NAME, *gone, *there) == 0
    assert capsys.readouterr() == (f"{path}\n", f"{tmp_path}/gone/{NAME}/{path.name}: No such file or directory\n")
    assert path.read_bytes() == CONTENT
    path.unlink()
    assert tool("fetch_weights", NAME, NAME, *there) == 0
    assert capsys.readouterr() == (f"{path}\n{path}\n", "")  # no bar: this is no terminal


def test_what_can_t_be_fetched_is_one_message_with_every_place(
    tool: Callable[..., int], cache: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("fetch_weights", NAME, "--mirror", tmp_path / "gone") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("error: ") == 1
    assert f"{tmp_path}/gone/{NAME}/{NAME}.pickle: No such file" in err
    assert f"{NOWHERE}: " in err
    assert f"and put them at {cache}/{NAME}.pickle" in err
    assert not list(cache.glob("*.pickle"))
