"""Messages on the wire, byte by byte."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from oversized import field, varint

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, in_memory
from densezoo.formats.containers.protobuf import MAX_FIELDS, MAX_TEXT, MessageReader, Table, first_bytes

INNER: Table = {1: ("name", "text"), 2: ("sides*", "ints")}
TABLE: Table = {
    1: ("count", "int"),
    2: ("scale", "float"),
    3: ("data", "bytes"),
    4: ("name", "text"),
    5: ("sides*", "ints"),
    6: ("layer*", INNER),
    7: ("last", INNER),
}


def parse(content: bytes, table: Table = TABLE) -> dict[str, Any]:
    found = MessageReader(in_memory(Path("m"), io.BytesIO(content))).parse(table)
    return {name: bytes(value.read()) if isinstance(value, Bytes) else value for name, value in found.items()}


def signed(value: int) -> bytes:
    return varint(value % (1 << 64))


def test_a_message_field_by_field() -> None:
    content = (
        b"\x08\x96\x01"  # the 150 of protobuf.dev's first example
        + b"\x15" + struct.pack("<f", 1e-5)
        + b"\x1a\x03abc"
        + b"\x22\x03\xc3\xa9\xff"  # a broken letter at the end
        + b"\x28\x03" + b"\x2a\x03\x01\xac\x02"  # one by one, then packed
        + b"\x32\x05\x0a\x01a\x10\x07" + b"\x32\x00"
        + b"\x58\x01" + b"\x61" + bytes(8) + b"\x6d" + bytes(4) + b"\x72\x02xx"  # unknown, of all four wire types
    )  # fmt: skip
    assert parse(content) == {
        "count": 150,
        "scale": 1e-5,
        "data": b"abc",
        "name": "é�",
        "sides": [3, 1, 300],
        "layer": [{"name": "a", "sides": [7]}, {"sides": []}],
    }
    assert parse(b"") == {"sides": [], "layer": []}
    assert parse(b"\x08\x01\x08\x02")["count"] == 2  # the last one counts


@given(st.integers(-(1 << 63), (1 << 63) - 1), st.lists(st.integers(-(1 << 63), (1 << 63) - 1), max_size=5))
def test_numbers_come_back(number: int, packed: list[int]) -> None:
    content = b"\x08" + signed(number) + field(5, b"".join(map(signed, packed)))
    assert parse(content) == {"count": number, "sides": packed, "layer": []}


@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    try:
        found = parse(content)
    except FormatError as error:
        assert str(error).startswith("m: ")  # noqa: PT017
    else:
        assert found.keys() <= {"count", "scale", "data", "name", "sides", "layer", "last"}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x08\xff", "at byte 1: a number without an end; broken or truncated"),
        (b"\x08" + b"\xff" * 10 + b"\x01", "at byte 1: a number without an end"),
        (b"\x1a\x04abc", "at byte 0: field 3 ends at byte 6, and its message at 5; the file is broken or truncated"),
        (b"\x08\x01\x15\0\0", "at byte 2: field 2 ends at byte 7, and its message at 5"),
        (b"\x32\x02\x0a\x05abcde", "at byte 2: field 1 ends at byte 9, and its message at 4"),
        (b"\x0b", "at byte 0: wire type 3, which protocol buffers lack"),
        (b"\x02\x00", "at byte 0: field 0 ends"),
        (b"\x0a\x01a", "the field count is of wire type 2; expected int"),
        (b"\x28\x01\x2d\0\0\0\0", "the field sides* is of wire type 5; expected ints"),
        (b"\x38\x01", "the field last is of wire type 0"),
    ],
)
def test_what_is_broken_is_named_with_its_byte(content: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse(content)
    assert f"m: {message}" in str(caught.value)


def test_fields_and_packed_numbers_are_counted_together() -> None:
    half = MAX_FIELDS // 2
    content = b"\x08\x01" * half + field(5, b"\x01" * (half - 1))
    assert len(parse(content)["sides"]) == half - 1
    with pytest.raises(FormatError, match=f"more than {MAX_FIELDS:,} fields"):
        parse(content + b"\x08\x01")
    with pytest.raises(FormatError, match=f"more than {MAX_FIELDS:,} numbers"):
        parse(b"\x08\x01" * half + field(5, b"\x01" * half))


def test_a_text_without_end_is_not_read() -> None:
    assert len(parse(field(4, b"x" * MAX_TEXT))["name"]) == MAX_TEXT
    with pytest.raises(FormatError, match=f"the field name is a text of {MAX_TEXT + 1:,} bytes"):
        parse(field(4, b"x" * (MAX_TEXT + 1)))


@given(st.binary(max_size=300), st.integers(1, 15), st.integers(1, 40))
def test_first_bytes_are_those_of_the_first_field(content: bytes, number: int, kept: int) -> None:
    whole = field(number, content)
    start = len(whole) - len(content)
    assert first_bytes(whole + b"more") == content
    assert first_bytes(whole[:kept]) == (whole[start:kept] if kept > start else b"")
    assert first_bytes(varint(number << 3) + b"\x05" + content) == b""
