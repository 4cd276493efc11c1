"""gzip and tar, and archives in archives."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest
import torch

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


def packed(content: bytes, depth: int) -> bytes:
    """Some bytes in gzip in gzip in ..."""
    return packed(gzip.compress(content, mtime=0), depth - 1) if depth else content


def tarred(content: bytes, *names: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("legacy", [False, True])
def test_a_tar_gz_of_one_file_is_read(tmp_path: Path, legacy: bool) -> None:
    """As ODIN publishes its networks."""
    torch.save(TENSORS, tmp_path / "m", _use_new_zipfile_serialization=not legacy)
    archive = tarred((tmp_path / "m").read_bytes(), "models/densenet10.pth")
    for name, content in {"m.tar": archive, "m.tar.gz": packed(archive, 1)}.items():
        (tmp_path / name).write_bytes(content)
        checkpoint = read_checkpoint(tmp_path / name)
        assert checkpoint.hints == ("read: models/densenet10.pth, the archive's only file",)
        assert all(torch.equal(checkpoint.tensors[key], tensor) for key, tensor in TENSORS.items())


def test_archives_in_archives_are_not_followed_without_end(tmp_path: Path) -> None:
    torch.save(TENSORS, tmp_path / "m", _use_new_zipfile_serialization=False)
    content = (tmp_path / "m").read_bytes()
    for name in ("inner.zip", "middle.zip", "outer.zip"):
        with zipfile.ZipFile(tmp_path / name, "w") as archive:
            archive.writestr("m", content)
        content = (tmp_path / name).read_bytes()
    with pytest.raises(FormatError, match=r"outer.zip: m: m: an archive, but no checkpoint's.*found m; unpack it"):
        read_checkpoint(tmp_path / "outer.zip")
    (tmp_path / "m.gz").write_bytes(packed(b"x" * 100, 3))
    with pytest.raises(FormatError, match="packed more than 2 times; unpack it"):
        read_checkpoint(tmp_path / "m.gz")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (tarred(b"x", "one.pt", "two.pt"), "expected one checkpoint alone; found one.pt, two.pt; unpack it, and name"),
        (tarred(b"x" * 2000, "one.pt")[:1500], "one.pt should take 2,000 bytes|a tar archive that is broken"),
        (packed(b"x" * (60 << 20), 1), "a gzip file of .* that holds more than"),
        (packed(b"x" * 1000, 1)[:-9], "a gzip file that is truncated"),
        (packed(b"x" * 1000, 1)[:10] + b"\xff" * 9, "a gzip file by its first bytes, but broken"),
    ],
    ids=["two files", "truncated tar", "a bomb", "truncated gzip", "broken gzip"],
)
def test_a_broken_or_large_archive_is_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_checkpoint(tmp_path / "m")
