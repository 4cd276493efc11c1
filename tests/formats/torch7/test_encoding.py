"""The two encodings of Torch7 files, binary and as text, step by step."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.torch7.encoding import CHUNK, DIGITS, BinarySource, Broken, NumberSource, TextSource

INTS = st.integers(-(1 << 31), (1 << 31) - 1)


def binary(content: bytes, long_size: int = 8) -> BinarySource:
    return BinarySource(in_memory(Path("m"), io.BytesIO(content)), long_size)


def text(content: bytes) -> TextSource:
    return TextSource(in_memory(Path("m"), io.BytesIO(content)))


@given(INTS, st.lists(INTS, max_size=4), st.floats(allow_nan=False), st.binary(max_size=9), st.sampled_from([4, 8]))
def test_what_is_written_is_read(whole: int, longs: list[int], real: float, letters: bytes, long_size: int) -> None:
    code = "q" if long_size == 8 else "i"
    packed = struct.pack("<i", whole) + struct.pack(f"<{len(longs)}{code}", *longs) + struct.pack("<d", real) + letters
    line = b" ".join(b"%d" % number for number in longs) + b"\n" if longs else b""
    as_text = b"%d\n" % whole + line + b"%.17g\n" % real + letters + (b"\n" if letters else b"")
    sources: list[BinarySource | TextSource] = [binary(packed, long_size), text(as_text)]
    for source in sources:
        assert source.integer("a number") == whole
        assert source.longs(len(longs), "sizes") == tuple(longs)
        assert source.number("a real") == real
        assert source.text(len(letters), "a string") == letters
        source.check_end()


@given(st.sampled_from(["f4", "f8", "u1", "i1", "i4", "l"]), st.lists(st.integers(0, 100), max_size=20), st.data())
def test_elements_are_skipped_and_read_in_parts(kind: str, numbers: list[int], data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(numbers)))
    count = data.draw(st.integers(0, len(numbers) - first))
    in_bytes = binary(np.array(numbers, "i8" if kind == "l" else kind).tobytes() + b"after")
    letters = bytes(numbers) if kind in ("u1", "i1") else b" ".join(b"%d" % number for number in numbers)
    in_text = text(letters + (b"\n" if numbers else b"") + b"after")
    for source in (in_bytes, in_text):
        stored = source.elements(source.dtype(kind), len(numbers), "a storage")
        assert source.text(5, "what follows") if source is in_bytes else source.take(5, "what follows") == b"after"
        array = source.read(stored, first, count)
        assert array.tolist() == numbers[first : first + count]
        assert array.flags.writeable


def test_a_long_is_as_wide_as_where_the_file_was_written() -> None:
    assert [binary(b"", size).dtype("l").str for size in (4, 8)] == ["<i4", "<i8"]
    assert binary(b"\xff" * 4, 4).longs(1, "a size") == (-1,)
    assert text(b"").dtype("l").str == "<i8"


@pytest.mark.parametrize("number", [b"nan", b"inf", b"-inf", b"1e+20", b".5", b"1.", b"0x10", b"1_0", b"1 2", b""])
def test_reals_as_text(number: bytes) -> None:
    if number in (b".5", b"0x10", b"1_0", b"1 2", b""):
        with pytest.raises(Broken, match="at offset 0: expected a real as text, on a line, found"):
            text(number + b"\n").number("a real")
    else:
        np.testing.assert_equal(text(number + b"\n").number("a real"), float(number))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (binary(b"\1\2\3"), "at offset 0: expected a number, found the end of the file's 3 bytes"),
        (text(b"12"), "at offset 0: expected a number as text, on a line, found b'12'"),
        (text(b"1" * DIGITS + b"\n"), f"expected a number as text, on a line, found b'{'1' * DIGITS}'"),
        (text(b"twelve\n"), "found b'twelve"),
    ],
)
def test_numbers_that_are_none(source: BinarySource | TextSource, message: str) -> None:
    with pytest.raises(Broken) as caught:
        source.integer("a number")
    assert message in str(caught.value)
    assert source.position == 0


@pytest.mark.parametrize("length", [-1, 4, 1 << 60])
def test_lengths_are_held_against_what_is_left(length: int) -> None:
    source: NumberSource
    for source in (binary(b"abc"), text(b"abc")):
        for step in (source.take, source.skip):
            with pytest.raises(Broken, match=f"expected it, found a length of {length:,} bytes where 3 are left"):
                step(length, "it")
    with pytest.raises(Broken, match="expected the end of the file, found 3 more bytes"):
        binary(b"abc").check_end()


@pytest.mark.parametrize(
    ("content", "count", "message"),
    [
        (b"1 2 3", 4, "a storage: 4 numbers on a line, found the end of the file"),
        (b"1 2 3\n", 4, "a storage: 4 numbers on a line, found 2 spaces"),
        (b"1 2 3 4\n", 3, "3 numbers on a line, found 3 spaces"),
        (b"1" * (2 * CHUNK), 2, f"numbers of at most {DIGITS} digits, found longer ones"),
    ],
)
def test_storages_whose_text_is_not_so_many_numbers(content: bytes, count: int, message: str) -> None:
    with pytest.raises(Broken, match=f"at offset 0: expected .*{message}"):
        text(content).elements(np.dtype("f4"), count, "a storage")


@pytest.mark.parametrize("content", [b"1 2 x 4\n", b"1 2  4\n", b"1,2 3 4 5\n"])
def test_text_of_as_many_words_that_is_no_numbers(content: bytes) -> None:
    source = text(content)
    stored = source.elements(np.dtype("f4"), 4, "a storage")
    with pytest.raises(Broken, match="at offset 0: expected 4 numbers as text, found"):
        source.read(stored, 0, 4)


def test_a_string_as_text_ends_in_a_newline() -> None:
    with pytest.raises(Broken, match="at offset 3: expected a newline after a string, found something else"):
        text(b"abcd").text(3, "a string")
    text(b"").text(0, "an empty string")


def test_a_storage_as_text_is_parsed_once_for_all_its_views() -> None:
    source = text(b"1 2 3 4\n")
    stored = source.elements(np.dtype("f8"), 4, "a storage")
    first, second = source.read(stored, 0, 2), source.read(stored, 2, 2)
    assert first.base is second.base
    assert second.tolist() == [3, 4]


def test_numbers_that_can_t_be_taken_are_no_tensor() -> None:
    source = binary(bytes(8))
    stored = source.elements(np.dtype("f4"), 2, "a storage")
    with pytest.raises(FormatError, match="a tensor should take 8 bytes from byte 4 on; there are 8"):
        source.read(stored, 1, 2)
