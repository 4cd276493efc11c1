"""A file is replaced whole or not at all: on a full disk, without permission, after a kill."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from densezoo.errors import ConfigError, ResultError
from densezoo.files import PLOT, check_writable, making_folder, replacing, write_atomically, written_as


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_text("old")
    return path


def failing(number: int) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_the_old_content_stays_until_the_new_one_is_whole(old: Path) -> None:
    with replacing(old) as hidden:
        hidden.write_text("ne")
        assert old.read_text() == "old"
        hidden.write_text("new")
    assert old.read_text() == "new"
    assert list(old.parent.iterdir()) == [old]


def test_a_file_that_was_not_there(tmp_path: Path) -> None:
    with replacing(tmp_path / "new") as hidden:
        assert hidden.name.startswith(".")
        hidden.write_bytes(b"x")
    assert (tmp_path / "new").read_bytes() == b"x"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS])
@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failing_system_call(old: Path, monkeypatch: pytest.MonkeyPatch, function: str, number: int) -> None:
    monkeypatch.setattr(os, function, failing(number))
    with pytest.raises(OSError, match=os.strerror(number)):
        write_atomically(old, "new")
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("raised", [ValueError("broken"), KeyboardInterrupt()])
def test_an_error_in_the_block(old: Path, raised: BaseException) -> None:
    def write() -> None:
        with replacing(old) as hidden:
            hidden.write_text("half")
            raise raised

    with pytest.raises(type(raised)):
        write()
    assert old.read_text() == "old"
    assert list(old.parent.iterdir()) == [old]


def test_the_caller_s_error_has_the_reason(old: Path) -> None:
    def write() -> None:
        with replacing(old, lambda reason: ResultError(f"{old}: can't be written ({reason})")) as hidden:
            hidden.write_text("half")
            failing(errno.ENOSPC)()

    with pytest.raises(ResultError, match=r"file: can't be written \(No space left on device\)"):
        write()
    assert list(old.parent.iterdir()) == [old]


def test_a_folder_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "none" / "file", "new")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(old: Path) -> None:
    old.parent.chmod(0o500)
    with pytest.raises(PermissionError):
        write_atomically(old, "new")
    old.parent.chmod(0o700)
    assert old.read_text() == "old"


def test_a_kill_leaves_the_old_file_and_the_next_write_succeeds(old: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from densezoo.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as hidden:\n"
        "    hidden.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert subprocess.run([sys.executable, "-c", program, old], check=False).returncode == -signal.SIGKILL
    assert old.read_text() == "old"
    assert [path for path in old.parent.iterdir() if not path.name.startswith(".")] == [old]
    write_atomically(old, "new")
    assert old.read_text() == "new"


def test_two_writers_at_once(old: Path) -> None:
    with replacing(old) as one, replacing(old) as other:
        one.write_text("one")
        other.write_text("other")
    assert old.read_text() == "one"  # whose block ends last
    assert list(old.parent.iterdir()) == [old]


@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_an_ordinary_file(old: Path, mask: int) -> None:
    """Whatever makes the hidden file: safetensors and tempfile give 0600."""
    former = os.umask(mask)
    try:
        ordinary = old.with_name("ordinary")
        ordinary.write_text("")
        write_atomically(old, "new")
        with replacing(old.with_name("weights"), sync=True) as hidden:
            save_file({"a": np.zeros(1)}, hidden)
        assert {path.stat().st_mode for path in old.parent.iterdir()} == {ordinary.stat().st_mode}
        assert len(list(old.parent.iterdir())) == 3
    finally:
        os.umask(former)


def test_a_folder_is_tried_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    check_writable(tmp_path / "made", 1)
    assert not list((tmp_path / "made").iterdir())
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ResultError, match="expected room for 1,001 bytes of state and results, found 1,000; make room"):
        check_writable(tmp_path, 1001)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: failing(errno.EROFS)())
    with pytest.raises(ResultError, match=r"can't be stored there \(Read-only file system\); choose another folder"):
        check_writable(tmp_path, 0)


def test_the_extension_says_what_is_written() -> None:
    known = {".pth": ("torchvision", "timm"), ".onnx": ("onnx",)}
    assert written_as(Path("a.PTH"), "checkpoint", known) == "torchvision"
    assert written_as(Path("a.pth"), "checkpoint", known, "timm") == "timm"
    with pytest.raises(ConfigError, match="expected, for a plot file, .png, .pdf, .svg; found .txt"):
        written_as(Path("a.txt"), "plot", PLOT)
    with pytest.raises(ConfigError, match="name the file .onnx"):
        written_as(Path("a.pth"), "checkpoint", known, "onnx")


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt(), OSError(errno.EIO, "broken")])
def test_a_folder_whose_replacement_breaks_off_stays(
    old: Path, monkeypatch: pytest.MonkeyPatch, interrupt: BaseException
) -> None:
    folder, rename = old.parent / "folder", os.replace
    folder.mkdir()
    old.rename(folder / "file")

    def interrupted(source: Path, target: Path) -> None:
        if target == folder and not source.name.endswith(".former"):
            raise interrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises((KeyboardInterrupt, ConfigError)), making_folder(folder, replace=True):
        pass
    assert [path.name for path in folder.parent.rglob("*")] == ["folder", "file"]


def test_a_link_to_a_replaced_folder_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/old").touch()
    (tmp_path / "link").symlink_to("real")
    with making_folder(tmp_path / "link", replace=True) as hidden:
        (hidden / "new").touch()
    assert (tmp_path / "link").is_symlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]
    assert [path.name for path in (tmp_path / "real").iterdir()] == ["new"]
