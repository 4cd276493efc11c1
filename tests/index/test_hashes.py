"""A file held against stated hashes of every kind, its own and its members'."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from densezoo.errors import MetafileError
from densezoo.index.hashes import FileDigests
from densezoo.types import FileHash, WeightSource

CONTENT = b"weights" * 1000
MD5, SHA1, SHA256 = (hashlib.new(name, CONTENT).hexdigest() for name in ("md5", "sha1", "sha256"))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "net.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.pth", CONTENT)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    (tmp_path / "net.pth").write_bytes(CONTENT)
    return tmp_path / "net.pth"


@pytest.mark.parametrize(
    "stated",
    [
        FileHash(md5=MD5),
        FileHash(md5=MD5[:8]),
        FileHash(sha1=SHA1),
        FileHash(sha256=SHA256),
        FileHash(sha256=SHA256[:9]),
    ],
    ids=str,
)
def test_every_kind_whole_and_in_part(plain: Path, archive: Path, stated: FileHash) -> None:
    assert FileDigests(plain).has(stated)
    assert not FileDigests(archive).has(stated)


def test_a_part_is_of_the_digest_s_beginning(plain: Path) -> None:
    assert not FileDigests(plain).has(FileHash(md5=MD5[-8:]))


@pytest.mark.parametrize("stated", [FileHash(sha1=SHA1, of="net.pth"), FileHash(md5=MD5[:8], of="net.pth")], ids=str)
def test_a_member_s_hash_holds_packed_and_unpacked(plain: Path, archive: Path, stated: FileHash) -> None:
    assert FileDigests(plain).has(stated)
    assert FileDigests(archive).has(stated)


def test_another_member_or_another_content_is_not_it(archive: Path, tmp_path: Path) -> None:
    assert not FileDigests(archive).has(FileHash(sha1=SHA1, of="other.pth"))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("net.pth", CONTENT + b"!")
    assert not FileDigests(archive).has(FileHash(sha1=SHA1, of="net.pth"))


def test_an_archive_s_names_are_read_once(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The index states hashes of a hundred members, each of which torch's own zip files were searched for."""
    opened: list[Path] = []

    class Counted(zipfile.ZipFile):
        def __init__(self, path: Path) -> None:
            opened.append(path)
            super().__init__(path)

    monkeypatch.setattr(zipfile, "ZipFile", Counted)
    digests = FileDigests(archive)
    assert [digests.digest("sha1", f"other{i}.pth") for i in range(100)] == [None] * 100
    assert len(opened) == 1


@pytest.mark.parametrize("content", [b"", b"PK\3\4", b"PK\5\6" + bytes(18), CONTENT])
def test_a_file_that_is_no_archive_or_an_empty_one_has_no_members(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "net.zip").write_bytes(content)
    assert FileDigests(tmp_path / "net.zip").digest("sha1", "net.pth") is None


def test_a_broken_archive_has_no_members(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[40:60] = bytes(20)  # in the compressed data
    archive.write_bytes(bytes(content))
    assert FileDigests(archive).digest("sha1", "net.pth") is None


def test_a_member_that_expands_without_end_is_not_hashed(tmp_path: Path) -> None:
    """A file that a user evaluates is held against the index's hashes of members; a bomb would take hours."""
    zeros = bytes(17 << 20)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("net.pth", zeros)
    assert FileDigests(tmp_path / "bomb.zip").digest("sha1", "net.pth") is None
    assert not FileDigests(tmp_path / "bomb.zip").has(FileHash(sha1=hashlib.sha1(zeros).hexdigest(), of="net.pth"))


def test_all_stated_hashes_have_to_hold(plain: Path) -> None:
    wrong = FileHash(md5="0" * 32)
    source = WeightSource("torch", "pickle", hash_prefix=SHA256[:8], hashes=(FileHash(sha1=SHA1), wrong))
    assert FileDigests(plain).first_contradiction(source) == wrong
    assert FileDigests(plain, "0" * 64).first_contradiction(source) == FileHash(sha256=SHA256[:8])


@pytest.mark.parametrize("fields", [{}, {"md5": MD5, "sha1": SHA1}, {"sha1": SHA1 + "0"}, {"md5": "ABCDEF01"}])
def test_what_is_no_hash(fields: dict[str, str]) -> None:
    with pytest.raises(MetafileError, match="expected "):
        FileHash(**fields)
