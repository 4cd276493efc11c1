"""The two encodings of Torch7 files, binary and ASCII: numbers, strings and arrays; objects are in `objects`.

Source: ``lib/TH/THDiskFile.c`` of https://github.com/torch/torch7. Every length is compared with the bytes that are
left before memory is allocated; arrays are skipped, and read only when a tensor needs them.
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
    """A file that doesn't hold what its format demands.

    Args:
        at: offset in the file, bytes.
        expected: what should be there.
        found: what is there.
    """

    def __init__(self, at: int, expected: str, found: object) -> None:
        super().__init__(f"at offset {at:,}: expected {expected}, found {found}")


class Unsupported(Broken):
    """A file that is whole, as far as is known, but holds what densezoo doesn't read."""


@dataclass(frozen=True)
class StoredElements:
    """An array that is still in the file: ``count`` elements in ``length`` bytes from ``start`` on."""

    dtype: np.dtype[Any]
    count: int
    start: int
    length: int


class NumberSource:
    """The bytes of a file, read from its start on. ``position`` is the number of bytes that were read or skipped.

    Args:
        data: the whole file.
        long_size: bytes of a C long.

    In all methods ``expected`` says what is read, for messages, and all but `dtype` raise `Broken`.
    """

    def __init__(self, data: Bytes, long_size: int) -> None:
        self.data, self.file, self.size, self.long_size = data, data.file, len(data), long_size
        self.position = 0

    def check(self, length: int, expected: str) -> None:
        """Raises Broken unless ``length`` more bytes are there."""
        rest = self.size - self.position
        if not 0 <= length <= rest:
            raise Broken(self.position, expected, f"a length of {length:,} bytes where {rest:,} are left")

    def check_end(self) -> None:
        """Raises Broken unless all bytes were read or skipped."""
        if self.position != self.size:
            raise Broken(self.position, "the end of the file", f"{self.size - self.position:,} more bytes")

    def take(self, length: int, expected: str) -> bytes:
        """The next ``length`` bytes."""
        self.check(length, expected)
        content = self.file.read(length)
        if len(content) != length:
            raise Broken(self.position, expected, "the end of a file that became shorter while it was read")
        self.position += length
        return content

    def skip(self, length: int, expected: str) -> None:
        """Skips the next ``length`` bytes."""
        self.check(length, expected)
        self.position += length
        self.file.seek(self.data.start + self.position)

    def dtype(self, kind: str) -> np.dtype[Any]:
        """numpy's type of a kind of ELEMENTS (`densezoo.formats.torch7.objects`): "f4", or "l" for a C long."""
        return np.dtype(f"<i{self.long_size}" if kind == "l" else f"<{kind}")


class BinarySource(NumberSource):
    """Little-endian numbers; a C long has 8 or 4 bytes, as on the machine that wrote the file."""

    def integer(self, expected: str) -> int:
        """The next integer, of 4 bytes. Most of a file is integers, so this repeats `take` without its calls."""
        content = self.file.read(4)
        if len(content) != 4:
            raise Broken(self.position, expected, f"the end of the file's {self.size:,} bytes")
        self.position += 4
        return int.from_bytes(content, "little", signed=True)

    def longs(self, count: int, expected: str) -> tuple[int, ...]:
        data = self.take(count * self.long_size, expected)
        return struct.unpack(f"<{count}{'q' if self.long_size == 8 else 'i'}", data)

    def number(self, expected: str) -> float:
        number: float = struct.unpack("<d", self.take(8, expected))[0]
        return number

    def text(self, length: int, expected: str) -> bytes:
        return self.take(length, expected)

    def elements(self, dtype: np.dtype[Any], count: int, expected: str) -> StoredElements:
        """Skips a storage's elements; returns where they are."""
        start = self.position
        self.skip(count * dtype.itemsize, expected)
        return StoredElements(dtype, count, start, count * dtype.itemsize)

    def read(self, stored: StoredElements, first: int, count: int) -> NDArray[Any]:
        """``count`` of the elements that `elements` skipped, beginning with element ``first``."""
        width = stored.dtype.itemsize
        numbers = cut(self.data, stored.start + first * width, count * width, "a tensor").read()
        array: NDArray[Any] = np.frombuffer(numbers, stored.dtype)
        return array if array.flags.writeable else array.copy()


class TextSource(NumberSource):
    """ASCII: the numbers of one call on one line with spaces between them; strings as they are, then a newline."""

    def __init__(self, data: Bytes) -> None:
        super().__init__(data, long_size=8)
        self.shared: dict[StoredElements, NDArray[Any]] = {}  # storages of several tensors, parsed once

    def line(self, count: int, pattern: re.Pattern[bytes], expected: str) -> list[bytes]:
        at = self.position
        line = self.file.readline(count * DIGITS)
        self.position += len(line)
        words = line.split()
        if not line.endswith(b"\n") or len(words) != count or not all(map(pattern.fullmatch, words)):
            raise Broken(at, f"{expected} as text, on a line", repr(line[:DIGITS]))
        return words

    def integer(self, expected: str) -> int:
        line = self.file.readline(DIGITS)
        if not line.endswith(b"\n") or not WHOLE.fullmatch(line.strip()):
            raise Broken(self.position, f"{expected} as text, on a line", repr(line))
        self.position += len(line)
        return int(line)

    def longs(self, count: int, expected: str) -> tuple[int, ...]:
        return tuple(map(int, self.line(count, WHOLE, expected))) if count else ()

    def number(self, expected: str) -> float:
        return float(self.line(1, REAL, expected)[0])

    def text(self, length: int, expected: str) -> bytes:
        text = self.take(length, expected)
        self.newline(length, expected)
        return text

    def skip(self, length: int, expected: str) -> None:
        super().skip(length, expected)
        self.newline(length, expected)

    def newline(self, length: int, expected: str) -> None:
        """Takes the newline that follows a string, unless the string is empty."""
        if length and self.take(1, f"a newline after {expected}") != b"\n":
            raise Broken(self.position - 1, f"a newline after {expected}", "something else")

    def elements(self, dtype: np.dtype[Any], count: int, expected: str) -> StoredElements:
        """Skips a storage's elements; returns where they are. Bytes and chars are written as they are."""
        start = self.position
        if dtype.itemsize == 1 or count == 0:
            self.skip(count, expected)
            return StoredElements(dtype, count, start, count)
        spaces, chunk = 0, b""
        while not chunk.endswith(b"\n") and spaces < count:
            chunk = self.file.readline(CHUNK)
            if not chunk:
                raise Broken(start, f"{expected}: {count:,} numbers on a line", "the end of the file")
            self.position += len(chunk)
            spaces += chunk.count(b" ")
            if spaces * DIGITS < self.position - start - CHUNK:
                raise Broken(start, f"{expected}: numbers of at most {DIGITS} digits", "longer ones")
        if spaces != count - 1:
            raise Broken(start, f"{expected}: {count:,} numbers on a line", f"{spaces} spaces")
        return StoredElements(dtype, count, start, self.position - start)

    def read(self, stored: StoredElements, first: int, count: int) -> NDArray[Any]:
        """As `BinarySource.read`; several reads of a part of one storage share its array.

        Raises:
            Broken: the text doesn't hold that many numbers.
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
