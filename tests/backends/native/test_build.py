"""The library's build: a compiler's absence and failures, stale libraries, the hook of hatchling."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.backends.native import build


def test_it_compiles_without_a_warning(tmp_path: Path) -> None:
    """-Wall and -Wextra are the build's own; here a warning is an error."""
    library = build.build(tmp_path / "library.so", ("-Werror", "-O0"))
    assert build.source_hash().encode() in library.read_bytes()
    assert list(tmp_path.iterdir()) == [library]


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(build.BuildError, match=r"found no C\+\+ compiler"):
        build.build(tmp_path / "library.so")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "message"),
    [("no-such-compiler -g", "no-such-compiler, which CXX names"), ("g++ '", "No closing quotation")],
)
def test_a_cxx_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str, message: str) -> None:
    monkeypatch.setenv("CXX", value)
    with pytest.raises(build.BuildError, match=message):
        build.build(tmp_path / "library.so")


def test_a_folder_that_can_t_be_written(tmp_path: Path) -> None:
    """An installation from a read-only clone goes on without the engine."""
    with pytest.raises(build.BuildError, match=r"library.so can't be written \(.*No such file or directory"):
        build.build(tmp_path / "missing" / "library.so")


@pytest.mark.parametrize("system", [("Darwin", "arm64"), ("Linux", "aarch64")])
def test_on_another_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: tuple[str, str]) -> None:
    monkeypatch.setattr("platform.system", lambda: system[0])
    monkeypatch.setattr("platform.machine", lambda: system[1])
    with pytest.raises(build.BuildError, match=f"this is {system[0]} {system[1]}"):
        build.build(tmp_path / "library.so")


def test_a_compiler_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "compiler"
    compiler.write_text("#!/bin/sh\necho no such flag >&2; exit 3\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("CXX", f"{compiler} -g")
    with pytest.raises(build.BuildError, match=r"(?s)ended with status 3:.no such flag"):
        build.build(tmp_path / "library.so")
    assert list(tmp_path.iterdir()) == [compiler]


def test_as_a_command_it_says_one_line(tmp_path: Path) -> None:
    command = [sys.executable, build.__file__]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"PATH": str(tmp_path)})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "no C++ compiler" in done.stderr


def test_the_hash_is_of_every_source(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for path in build.SOURCES.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    before = build.source_hash()
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    assert build.source_hash() == before
    (tmp_path / "simd.h").write_text("// changed\n")
    assert build.source_hash() != before
