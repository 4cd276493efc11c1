"""The two encodings of Torch7 files, binary and ASCII: numbers, strings and arrays, with no idea of objects.

Source: ``lib/TH/THDiskFile.c`` of https://github.com/torch/torch7. Every length is held against the bytes that are
left before anything is allocated; arrays are skipped, and read only when they are asked for.
"""

from __future__ import annotations

import re
import struct
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezoo.formats.binary import Bytes, cut

DIGITS = 40  # no number that Torch writes as text is longer
CHUNK = 1 << 16  # bytes of text looked at in one go
WHOLE = re.compile(rb"[+-]?\d+")
REAL = re.compile(rb"[+-]?(\d+\.?\d*(e[+-]?\d+)?|inf|nan)")


class Broken(Exception):
    """What was expected at an offset, and what was found."""

    def __init__(self, at: int, expected: str, found: object) -> None:
        super().__init__(f"at offset {at:,}: expected {expected}, found {found}")


class Unsupported(Broken):
    """What a file may well hold and densezoo doesn't read."""


@dataclass(frozen=True)
class StoredElements:
    """An array that is still in the file: ``count`` elements in ``length`` bytes from ``start`` on."""

    dtype: np.dtype[Any]
    count: int
    start: int
    length: int


class NumberSource:
    """The bytes of a file; ``position``: how many of them have been read or skipped."""

    def __init__(self, data: Bytes, long_size: int) -> None:
        self.data, self.file, self.size, self.long_size = data, data.file, len(data), long_size
        self.position = 0

    def check(self, length: int, what: str) -> None:
        """Raises Broken unless ``length`` more bytes are there."""
        left = self.size - self.position
        if not 0 <= length <= left:
            raise Broken(self.position, what, f"a length of {length:,} bytes where {left:,} are left")

    def check_end(self) -> None:
        """Raises Broken if there is more."""
        if self.position != self.size:
            raise Broken(self.position, "the end of the file", f"{self.size - self.position:,} more bytes")

    def take(self, length: int, what: str) -> bytes:
        """The next bytes."""
        self.check(length, what)
        found = self.file.read(length)
        if len(found) != length:
            raise Broken(self.position, what, "the end of a file that became shorter while it was read")
        self.position += length
        return found

    def skip(self, length: int, what: str) -> None:
        """Goes past the next bytes."""
        self.check(length, what)
        self.position += length
        self.file.seek(self.data.start + self.position)

    def dtype(self, kind: str) -> np.dtype[Any]:
        return np.dtype(f"<i{self.long_size}" if kind == "l" else f"<{kind}")


class BinarySource(NumberSource):
    """Little-endian numbers; a long has the 8 or 4 bytes that it had where the file was written."""

    def integer(self, what: str) -> int:
        """Most of a file is these, so this is `take` without its calls."""
        found = self.file.read(4)
        if len(found) != 4:
            raise Broken(self.position, what, f"the end of the file's {self.size:,} bytes")
        self.position += 4
        return int.from_bytes(found, "little", signed=True)

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        data = self.take(count * self.long_size, what)
        return struct.unpack(f"<{count}{'q' if self.long_size == 8 else 'i'}", data)

    def number(self, what: str) -> float:
        number: float = struct.unpack("<d", self.take(8, what))[0]
        return number

    def text(self, length: int, what: str) -> bytes:
        return self.take(length, what)

    def elements(self, dtype: np.dtype[Any], count: int, what: str) -> StoredElements:
        """Skips a storage's elements; returns where they are."""
        start = self.position
        self.skip(count * dtype.itemsize, what)
        return StoredElements(dtype, count, start, count * dtype.itemsize)

    def read(self, stored: StoredElements, first: int, count: int) -> NDArray[Any]:
        """``count`` of the elements that `elements` skipped, from number ``first`` on, from the file."""
        width = stored.dtype.itemsize
        numbers = cut(self.data, stored.start + first * width, count * width, "a tensor").read()
        array: NDArray[Any] = np.frombuffer(numbers, stored.dtype)
        return array if array.flags.writeable else array.copy()


class TextSource(NumberSource):
    """ASCII: the numbers of one call on one line with spaces between them; strings as they are, then a newline."""

    def __init__(self, data: Bytes) -> None:
        super().__init__(data, long_size=8)
        self.shared: dict[StoredElements, NDArray[Any]] = {}  # storages of several tensors, parsed once

    def line(self, count: int, pattern: re.Pattern[bytes], what: str) -> list[bytes]:
        at = self.position
        line = self.file.readline(count * DIGITS)
        self.position += len(line)
        words = line.split()
        if not line.endswith(b"\n") or len(words) != count or not all(map(pattern.fullmatch, words)):
            raise Broken(at, f"{what} as text, on a line", repr(line[:DIGITS]))
        return words

    def integer(self, what: str) -> int:
        line = self.file.readline(DIGITS)
        if not line.endswith(b"\n") or not WHOLE.fullmatch(line.strip()):
            raise Broken(self.position, f"{what} as text, on a line", repr(line))
        self.position += len(line)
        return int(line)

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        return tuple(map(int, self.line(count, WHOLE, what))) if count else ()

    def number(self, what: str) -> float:
        return float(self.line(1, REAL, what)[0])

    def text(self, length: int, what: str) -> bytes:
        text = self.take(length, what)
        self.newline(length, what)
        return text

    def skip(self, length: int, what: str) -> None:
        super().skip(length, what)
        self.newline(length, what)

    def newline(self, length: int, what: str) -> None:
        """What follows a string, unless it is empty."""
        if length and self.take(1, f"a newline after {what}") != b"\n":
            raise Broken(self.position - 1, f"a newline after {what}", "something else")

    def elements(self, dtype: np.dtype[Any], count: int, what: str) -> StoredElements:
        """Skips a storage's elements; returns where they are. Bytes and chars are written as they are."""
        start = self.position
        if dtype.itemsize == 1 or count == 0:
            self.skip(count, what)
            return StoredElements(dtype, count, start, count)
        spaces, chunk = 0, b""
        while not chunk.endswith(b"\n") and spaces < count:
            chunk = self.file.readline(CHUNK)
            if not chunk:
                raise Broken(start, f"{what}: {count:,} numbers on a line", "the end of the file")
            self.position += len(chunk)
            spaces += chunk.count(b" ")
            if spaces * DIGITS < self.position - start - CHUNK:
                raise Broken(start, f"{what}: numbers of at most {DIGITS} digits", "longer ones")
        if spaces != count - 1:
            raise Broken(start, f"{what}: {count:,} numbers on a line", f"{spaces} spaces")
        return StoredElements(dtype, count, start, self.position - start)

    def read(self, stored: StoredElements, first: int, count: int) -> NDArray[Any]:
        """As `BinarySource.read`; several reads of a part of one storage share its array.

        Raises:
            Broken: the text isn't that many numbers.
        """
        array = self.shared.get(stored)
        if array is None:
            text = cut(self.data, stored.start, stored.length, "a storage").read()
            array = _numbers(bytes(text), stored)
        if count < stored.count:
            self.shared[stored] = array
        part: NDArray[Any] = array[first : first + count]
        return part


def _numbers(text: bytes, stored: StoredElements) -> NDArray[Any]:
    """A storage's elements from their text."""
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
