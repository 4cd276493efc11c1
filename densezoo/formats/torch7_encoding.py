"""The two encodings of Torch7 files, binary and ASCII: numbers, strings and arrays, with no idea of objects.

Source: ``lib/TH/THDiskFile.c`` of https://github.com/torch/torch7. Every length is held against the bytes that are
left before anything is allocated; arrays are skipped, and read only when they are asked for.
"""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

DIGITS = 40  # no number that Torch writes as text is longer
CHUNK = 1 << 20  # bytes of text looked at in one go
WHOLE = re.compile(rb"[+-]?\d+")
REAL = re.compile(rb"[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf|nan)")


class Broken(Exception):
    """What was expected at an offset, and what was found."""

    def __init__(self, at: int, expected: str, found: object) -> None:
        super().__init__(f"at offset {at:,}: expected {expected}, found {found}")
        self.at = at


@dataclass(frozen=True)
class Stored:
    """An array that is still in the file: ``count`` elements in ``length`` bytes from ``start`` on."""

    dtype: np.dtype[Any]
    count: int
    start: int
    length: int


class Source:
    """The bytes of a file, and how far they have been read."""

    def __init__(self, file: BinaryIO, size: int, long_size: int) -> None:
        self.file, self.size, self.long_size = file, size, long_size

    def tell(self) -> int:
        return self.file.tell()

    def check(self, length: int, what: str) -> None:
        """Raises Broken unless ``length`` more bytes are there."""
        left = self.size - self.tell()
        if not 0 <= length <= left:
            raise Broken(self.tell(), what, f"a length of {length:,} bytes where {left:,} are left")

    def check_end(self) -> None:
        """Raises Broken if there is more."""
        if self.tell() != self.size:
            raise Broken(self.tell(), "the end of the file", f"{self.size - self.tell():,} more bytes")

    def dtype(self, kind: str) -> np.dtype[Any]:
        return np.dtype(f"<i{self.long_size}" if kind == "l" else f"<{kind}")


class BinarySource(Source):
    """Little-endian numbers; a long has the 8 or 4 bytes that it had where the file was written."""

    def unpack(self, code: str, what: str) -> Any:
        length = struct.calcsize(code)
        self.check(length, what)
        return struct.unpack(code, self.file.read(length))

    def integer(self, what: str) -> int:
        return int(self.unpack("<i", what)[0])

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        return tuple(self.unpack(f"<{count}{'q' if self.long_size == 8 else 'i'}", what))

    def number(self, what: str) -> float:
        return float(self.unpack("<d", what)[0])

    def text(self, length: int, what: str) -> bytes:
        self.check(length, what)
        return self.file.read(length)

    def skip(self, length: int, what: str) -> None:
        self.check(length, what)
        self.file.seek(length, 1)

    def elements(self, dtype: np.dtype[Any], count: int, what: str) -> Stored:
        """Skips a storage's elements; returns where they are."""
        start = self.tell()
        self.skip(count * dtype.itemsize, what)
        return Stored(dtype, count, start, count * dtype.itemsize)

    def read(self, stored: Stored, first: int, count: int) -> NDArray[Any]:
        """``count`` of the elements that `elements` skipped, from number ``first`` on, in an array of their own."""
        self.file.seek(stored.start + first * stored.dtype.itemsize)
        array: NDArray[Any] = np.fromfile(self.file, stored.dtype, count)
        return array


class TextSource(Source):
    """ASCII: the numbers of one call on one line with spaces between them; strings as they are, then a newline."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        super().__init__(file, size, long_size=8)
        self.shared: dict[Stored, NDArray[Any]] = {}  # storages of several tensors, parsed once

    def line(self, count: int, pattern: re.Pattern[bytes], what: str) -> list[bytes]:
        at = self.tell()
        words = self.file.readline(count * DIGITS).split()
        if len(words) != count or not all(map(pattern.fullmatch, words)):
            raise Broken(at, f"{what} as text", repr(b" ".join(words)[:40]))
        return words

    def integer(self, what: str) -> int:
        return int(self.line(1, WHOLE, what)[0])

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        return tuple(map(int, self.line(count, WHOLE, what))) if count else ()

    def number(self, what: str) -> float:
        return float(self.line(1, REAL, what)[0])

    def text(self, length: int, what: str) -> bytes:
        self.check(length, what)
        text = self.file.read(length)
        self._newline(length)
        return text

    def skip(self, length: int, what: str) -> None:
        self.check(length, what)
        self.file.seek(length, 1)
        self._newline(length)

    def _newline(self, length: int) -> None:
        if length and self.file.read(1) not in (b"\n", b""):
            self.file.seek(-1, 1)

    def elements(self, dtype: np.dtype[Any], count: int, what: str) -> Stored:
        """Skips a storage's elements; returns where they are. Bytes and chars are written as they are."""
        start = self.tell()
        if dtype.itemsize == 1 or count == 0:
            self.skip(count, what)
            return Stored(dtype, count, start, count)
        self.check(2 * count - 1, what)  # a digit each, and the spaces between
        spaces, chunk = 0, b""
        while not chunk.endswith(b"\n") and spaces < count:
            chunk = self.file.readline(CHUNK)
            if not chunk:
                raise Broken(start, f"{what}: {count:,} numbers on a line", "the end of the file")
            spaces += chunk.count(b" ")
        if spaces != count - 1:
            raise Broken(start, f"{what}: {count:,} numbers on a line", f"{spaces} spaces")
        return Stored(dtype, count, start, self.tell() - start)

    def read(self, stored: Stored, first: int, count: int) -> NDArray[Any]:
        """As `BinarySource.read`.

        Raises:
            Broken: the text isn't that many numbers.
        """
        array = self.shared.get(stored)
        if array is None:
            self.file.seek(stored.start)
            array = _numbers(self.file.read(stored.length), stored)
        if count == stored.count:
            return array
        self.shared[stored] = array
        return array[first : first + count].copy()


def _numbers(text: bytes, stored: Stored) -> NDArray[Any]:
    """A storage's elements from their text, in an array of their own."""
    if stored.dtype.itemsize == 1:
        return np.array(bytearray(text), np.uint8).view(stored.dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what numpy 1 says of a text that isn't numbers; numpy 2 raises
        try:
            array: NDArray[Any] = np.fromstring(text.decode("latin-1"), stored.dtype, sep=" ")
        except (ValueError, DeprecationWarning):
            array = np.empty(0)
    if len(array) != stored.count:
        raise Broken(stored.start, f"{stored.count:,} numbers as text", repr(text[:DIGITS]))
    return array
