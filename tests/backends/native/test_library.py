"""Finding the library, and what is said where it can't be used."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densezoo.backends.native import build, library
from densezoo.errors import BackendError


def test_no_library(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"there is no .*missing.so; .*native/build.py builds it"):
        library.load(tmp_path / "missing.so")


def test_a_library_of_other_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = tmp_path / "other.so"
    other.write_bytes(build.LIBRARY.read_bytes())
    monkeypatch.setattr(build, "source_hash", lambda: "another")
    with pytest.raises(BackendError, match=r"other.so was built from other sources than .*csrc: python .*build.py"):
        library.load(other)


def test_a_file_that_is_no_such_library(tmp_path: Path) -> None:
    """`auto` then falls back to eager, as it does for every BackendError."""
    text = tmp_path / "text.so"
    text.write_text("none")
    other = tmp_path / "other.so"
    other.symlink_to(next(Path(np.__file__).parent.rglob("*.so")))
    for path in (text, other):
        with pytest.raises(BackendError, match=rf"{path.name} can't be used \(.*\): python .*native/build.py"):
            library.load(path)


def test_a_processor_without_the_instructions(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        """A library on a processor that has neither."""

        @staticmethod
        def densezoo_engine(bits: int) -> None:
            return None

    monkeypatch.setattr(library, "load", Old)
    monkeypatch.delenv(library.WIDTH_VARIABLE, raising=False)
    with pytest.raises(BackendError, match="needs a processor with AVX2 and FMA"):
        library.engine()
    with pytest.raises(BackendError, match="needs a processor with AVX-512"):
        library.engine(512)


def test_the_width_is_the_one_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.WIDTH_VARIABLE, "256")
    assert library.engine().vector == 8
    monkeypatch.delenv(library.WIDTH_VARIABLE)
    assert library.engine(256).vector == 8
    assert library.engine().vector in (8, 16)


def test_a_width_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(library.WIDTH_VARIABLE, "avx2")
    with pytest.raises(BackendError, match="DENSEZOO_NATIVE_BITS is 'avx2'; expected 256"):
        library.engine()


def test_memory_begins_on_a_cache_line() -> None:
    for floats in (1, 100, 4097):
        memory = library.aligned(floats)
        assert memory.ctypes.data % 64 == 0
        assert memory.shape == (floats,)
