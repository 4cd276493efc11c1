"""The bytes of an HDF5 file. Lengths are compared with the bytes that are there, and the number of reads is limited."""

from __future__ import annotations

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, cut
from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION

MAX_PIECES = 350_000  # that are read; the weights of 201 layers with Adam's state take 240,000
MAX_WORK, WORK_SLACK = 16, 64 << 20  # bytes of chunks: this many times the file's
UNDEFINED = 0xFFFFFFFFFFFFFFFF


class HDF5Bytes:
    """A file that is read piece by piece; the number of pieces is limited, so that reading always ends.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated. All methods raise it, and all functions that read an HDF5 file with them.
    """

    def __init__(self, data: Bytes) -> None:
        self.path, self.data = data.path, data
        self._pieces = MAX_PIECES
        self._memory = MAX_EXPANSION * len(data) + EXPANSION_SLACK
        self._work = MAX_WORK * len(data) + WORK_SLACK

    def error(self, at: int, expected: str, found: str) -> FormatError:
        """The error for a file that doesn't hold what the format demands.

        Args:
            at: offset in the file, bytes.
            expected, found: what should be there, and what is.
        """
        return FormatError(
            f"{self.path}: an HDF5 file by its first bytes, but at byte {at:,} expected {expected}, found {found}; it "
            "is broken or truncated: fetch it anew; if it is whole, it has what densezoo doesn't read"
        )

    def unsupported(self, at: int, subject: str, expected: str = "") -> FormatError:
        """The error for a part of the format that densezoo doesn't read.

        Args:
            at: offset in the file, bytes.
            subject: what is there.
            expected: what densezoo reads in its place; empty: nothing.
        """
        return FormatError(
            f"{self.path}: at byte {at:,} this HDF5 file has {subject}{expected and f' where {expected} is expected'}, "
            "which densezoo doesn't read; rewrite it with `h5repack -l CONTI -f NONE OLD NEW`"
        )

    def piece(self, start: int, size: int, subject: str) -> Bytes:
        """A piece of the file, not read yet.

        Args:
            start, size: its offset in the file and its length, bytes.
            subject: what it is, for messages.
        """
        self._count(start)
        try:
            return cut(self.data, start, size, subject)
        except FormatError as error:
            raise self.error(start, subject, str(error)) from None

    def number(self, start: int, size: int = 8) -> int:
        """A little-endian number. Most pieces are numbers, so this repeats `piece` without making a `Bytes`.

        Args:
            start, size: its offset in the file and its length, bytes.
        """
        self._count(start)
        data = self.data
        data.file.seek(data.start + max(start, 0))
        content = data.file.read(size) if 0 <= start <= data.size - size else b""
        if len(content) < size:
            raise self.error(start, f"a number of {size} bytes", f"the end of the file's {data.size:,}")
        return int.from_bytes(content, "little")

    def _count(self, start: int) -> None:
        self._pieces -= 1
        if self._pieces < 0:
            raise self.error(start, f"no more than {MAX_PIECES:,} pieces", "more")

    def expect(self, start: int, signature: bytes, subject: str) -> None:
        """Refuse a part of the file that doesn't begin with its signature.

        Args:
            start: its offset, bytes.
            signature: its first bytes, with the version if the part has one.
            subject: what it is, for messages.
        """
        head = self.piece(start, len(signature), subject).read()
        if head != signature:
            raise self.error(start, f"{subject}, {signature!r}", repr(bytes(head)))

    def reserve(self, at: int, size: int, passing: int = 0, work: int = 0) -> None:
        """Refuse to take more memory or time than a file of this size can need.

        Args:
            at: offset of the part that claims it, bytes.
            size: bytes of memory that stay in use.
            passing: bytes of memory that are freed again.
            work: bytes that are read or decompressed, one part after another.
        """
        self._memory -= size
        self._work -= work
        if self._memory < passing or self._work < 0:
            claim = max(size, passing, work)
            raise self.error(at, "no more than a file of this size can hold", f"a claim of {claim:,} bytes")
