"""The bytes of an HDF5 file; whatever it claims is held against what is there, and the looking itself is bounded."""

from __future__ import annotations

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, cut
from densezoo.formats.limits import EXPANSION_SLACK, MAX_EXPANSION

MAX_PIECES = 350_000  # that are looked at; the weights of DenseNet-201 with Adam's state take 240,000
MAX_WORK, WORK_SLACK = 16, 64 << 20  # bytes of chunks: this many times the file's
UNDEFINED = 0xFFFFFFFFFFFFFFFF


class HDF5Bytes:
    """A file that is looked at piece by piece: what points in circles runs into the limit.

    Args:
        data: its bytes.

    Raises:
        FormatError: broken or truncated. So do all methods, and all that read an HDF5 file with them.
    """

    def __init__(self, data: Bytes) -> None:
        self.path, self.data = data.path, data
        self._pieces = MAX_PIECES
        self._memory = MAX_EXPANSION * len(data) + EXPANSION_SLACK
        self._work = MAX_WORK * len(data) + WORK_SLACK

    def error(self, at: int, expected: str, found: str) -> FormatError:
        return FormatError(
            f"{self.path}: an HDF5 file by its first bytes, but at byte {at:,} expected {expected}, found {found}; it "
            "is broken or truncated: fetch it anew; if it is whole, it has what densezoo doesn't read"
        )

    def unsupported(self, at: int, what: str, expected: str = "") -> FormatError:
        return FormatError(
            f"{self.path}: at byte {at:,} this HDF5 file has {what}{expected and f' where {expected} is expected'}, "
            "which densezoo doesn't read; rewrite it with `h5repack -l CONTI -f NONE OLD NEW`"
        )

    def piece(self, start: int, size: int, what: str) -> Bytes:
        """A piece of the file, not read yet."""
        self._count(start)
        try:
            return cut(self.data, start, size, what)
        except FormatError as error:
            raise self.error(start, what, str(error)) from None

    def number(self, start: int, size: int = 8) -> int:
        """A little-endian number. Most pieces are such, so this is `piece` without what it makes of them."""
        self._count(start)
        data = self.data
        data.file.seek(data.start + max(start, 0))
        found = data.file.read(size) if 0 <= start <= data.size - size else b""
        if len(found) < size:
            raise self.error(start, f"a number of {size} bytes", f"the end of the file's {data.size:,}")
        return int.from_bytes(found, "little")

    def _count(self, start: int) -> None:
        self._pieces -= 1
        if self._pieces < 0:
            raise self.error(start, f"no more than {MAX_PIECES:,} pieces", "more")

    def expect(self, start: int, signature: bytes, what: str) -> None:
        """Refuse what doesn't begin with its signature, and its version where it has one."""
        found = self.piece(start, len(signature), what).read()
        if found != signature:
            raise self.error(start, f"{what}, {signature!r}", repr(bytes(found)))

    def reserve(self, at: int, size: int, passing: int = 0, work: int = 0) -> None:
        """Refuse to take more memory or time than a file of this size can need.

        Args:
            at: where they are claimed.
            size: bytes that stay.
            passing: bytes that are freed again.
            work: bytes that go through memory one after another.
        """
        self._memory -= size
        self._work -= work
        if self._memory < passing or self._work < 0:
            claim = max(size, passing, work)
            raise self.error(at, "no more than a file of this size can hold", f"a claim of {claim:,} bytes")
