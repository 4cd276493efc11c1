from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from densezoo.backends.native import build, library, resample
from densezoo.data import jpeg
from densezoo.data.equality import SWITCH
from densezoo.evaluation.faster import faster_ways


def test_what_is_there_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(SWITCH, raising=False)
    found = faster_ways()
    assert (found.decoder is not None) == (importlib.util.find_spec("simplejpeg") is not None)
    assert (found.cropper is not None) == build.LIBRARY.exists()


def test_unless_the_environment_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SWITCH, "own")
    assert (faster_ways().decoder, faster_ways().cropper) == (None, None)


def test_what_is_missing_is_done_without(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(jpeg, "PACKAGE", "no_such_package")
    monkeypatch.setattr(resample, "load", lambda: library.load(tmp_path / "missing.so"))
    resample.library.cache_clear()
    assert (faster_ways().decoder, faster_ways().cropper) == (None, None)
