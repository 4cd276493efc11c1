"""Compares a file with the hashes that a publisher states, of any kind, of the file or of a member of a zip archive."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from functools import cached_property
from pathlib import Path
from typing import IO

from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION
from densezoo.types import FileHash, WeightSource

BLOCK = 1 << 20  # bytes read at once


class FileDigests:
    """The digests of one file and of the members of the zip archive that it may be; each is computed once.

    Args:
        path: the file.
        sha256: its sha256, 64 hex digits, where that is known already.
    """

    def __init__(self, path: Path, sha256: str | None = None) -> None:
        self.path = path
        self._digests: dict[tuple[str, str | None], str | None] = {("sha256", None): sha256} if sha256 else {}

    def digest(self, algorithm: str, member: str | None = None) -> str | None:
        """Hex digits; None: there is no such member that can be read, or one larger than any reader takes.

        Args:
            algorithm: its name in `hashlib`.
            member: of a zip archive; None: the file itself.

        Raises:
            OSError: the file can't be read.
        """
        key = (algorithm, member)
        if key not in self._digests:
            self._digests[key] = self._digest(algorithm) if member is None else self._of_member(algorithm, member)
        return self._digests[key]

    def has(self, stated: FileHash) -> bool:
        """Whether the file has a stated hash; of a member's hash: its member has it, or it is that member unpacked."""
        own = self.digest(stated.algorithm)
        digests = [own] if stated.of is None else [self.digest(stated.algorithm, stated.of), own]
        return any(digest is not None and digest.startswith(stated.digits) for digest in digests)

    def first_contradiction(self, source: WeightSource) -> FileHash | None:
        """The first hash stated for a published file that this file doesn't have; None: it has all."""
        return next((stated for stated in source.stated_hashes if not self.has(stated)), None)

    def _digest(self, algorithm: str) -> str:
        with open(self.path, "rb") as file:
            return _hex(file, algorithm)

    @cached_property
    def _members(self) -> frozenset[str]:
        """The names in the zip archive, read once: the index states hashes of a hundred members; empty: it is none."""
        try:
            with zipfile.ZipFile(self.path) as archive:
                return frozenset(archive.namelist())
        except (zipfile.BadZipFile, NotImplementedError):
            return frozenset()

    def _of_member(self, algorithm: str, member: str) -> str | None:
        if member not in self._members:
            return None
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(member) as file:
                claimed = archive.getinfo(member).file_size  # zipfile reads no further
                too_large = claimed > MAX_EXPANSION * self.path.stat().st_size + EXPANSION_SLACK
                return None if too_large else _hex(file, algorithm)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            return None  # broken, encrypted or packed in another way


def _hex(file: IO[bytes], algorithm: str) -> str:
    digest = hashlib.new(algorithm, usedforsecurity=False)
    while block := file.read(BLOCK):
        digest.update(block)
    return digest.hexdigest()
