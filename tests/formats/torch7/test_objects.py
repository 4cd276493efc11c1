"""The object graph reader against golden bytes, and against files that the tests write, cut and falsify."""

from __future__ import annotations

import math
import struct
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch7_writer import CODES, Field, Fun, Obj, Sto, Ten, Writer, dumps

from densezoo.errors import FormatError
from densezoo.formats.binary import open_file
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch7.objects import (
    MAX_DEPTH,
    MAX_VALUES,
    LuaFunction,
    Module,
    Storage,
    Table,
    Tensor,
    Torch7File,
    looks_like_torch7,
    open_torch7,
)


@contextmanager
def opened(path: Path) -> Iterator[Torch7File]:
    with open_file(path) as data:
        yield open_torch7(data)


ENCODINGS: list[dict[str, Any]] = [{}, {"long_size": 4}, {"ascii": True}]

#: torch.save('x.t7', {torch.FloatTensor{{1, 2}, {3, 4}}:t()}), byte by byte.
GOLDEN = bytes.fromhex(
    "03000000 01000000 01000000"  # table, number 1, of 1 entry
    "01000000 000000000000f03f"  # key: 1
    "04000000 02000000 03000000 562031 11000000"  # object, number 2, "V 1", 17 characters:
) + (
    b"torch.FloatTensor"
    + bytes.fromhex("02000000")  # dimensions
    + struct.pack("<5q", 2, 2, 1, 2, 1)  # size, stride, offset
    + bytes.fromhex("04000000 03000000 03000000 562031 12000000")
    + b"torch.FloatStorage"
    + struct.pack("<q4f", 4, 1, 2, 3, 4)
)
GOLDEN_TEXT = (
    b"3\n1\n1\n1\n1\n4\n2\n3\nV 1\n17\ntorch.FloatTensor\n2\n2 2\n1 2\n1\n"
    b"4\n3\n3\nV 1\n18\ntorch.FloatStorage\n4\n1 2 3 4\n"
)
TRANSPOSED = Ten("Float", (2, 2), (1, 2), 0, Sto("Float", np.array([1, 2, 3, 4], "f4")))


def load(path: Path, data: bytes) -> Torch7File:
    """The file, parsed and closed: for what needs no tensor's numbers."""
    path.write_bytes(data)
    with opened(path) as file:
        return file


def plain(file: Torch7File, value: Any) -> Any:
    """What the tests wrote, from what was read; lists are tables with the keys 1, 2, ..."""
    if isinstance(value, Table):
        return {key: plain(file, item) for key, item in value.items.items()}
    if isinstance(value, Module):
        return (value.class_name, value.version, plain(file, value.fields))
    if isinstance(value, Tensor):
        return (value.class_name, file.array(value).tolist())
    return value


@pytest.mark.parametrize(("data", "options"), [(GOLDEN, {}), (GOLDEN_TEXT, {"ascii": True})])
def test_golden_bytes(tmp_path: Path, data: bytes, options: dict[str, Any]) -> None:
    (tmp_path / "x.t7").write_bytes(data)
    with opened(tmp_path / "x.t7") as file:
        assert plain(file, file.root) == {1.0: ("torch.FloatTensor", [[1.0, 3.0], [2.0, 4.0]])}
    assert dumps([TRANSPOSED], **options) == data  # the tests' writer writes the same


@pytest.mark.parametrize("options", ENCODINGS)
@pytest.mark.parametrize("kind", [*CODES, "Cuda", "CudaHalf", "CudaDouble", "CudaLong"])
def test_element_types(tmp_path: Path, kind: str, options: dict[str, Any]) -> None:
    values = np.array([3, 1, 4, 1, 5, 9, 2, 6], CODES.get(kind.removeprefix("Cuda") or "Float"))
    views = [
        Ten(kind, (2, 3), (3, 1), 1, storage := Sto(kind, values)),
        Ten(kind, (2, 2), (1, 5), 0, storage),
        Ten(kind, (1,), (1,), 7, storage),
        Ten(kind, (), (), 0, None),
    ]
    (tmp_path / "x.t7").write_bytes(dumps(views, **options))
    with opened(tmp_path / "x.t7") as file:
        found = [item for _, item in plain(file, file.root).values()]
    assert found == [[[1, 4, 1], [5, 9, 2]], [[3, 9], [1, 2]], [6], []]


def test_numbers_that_are_not_finite(tmp_path: Path) -> None:
    values = np.array([np.nan, np.inf, -np.inf, 1e-42, -0.0], "f4")
    for options in ENCODINGS:
        (tmp_path / "x.t7").write_bytes(dumps(Ten("Float", (5,), (1,), 0, Sto("Float", values)), **options))
        with opened(tmp_path / "x.t7") as file:
            assert isinstance(file.root, Tensor)
            assert np.array_equal(file.array(file.root), values, equal_nan=True)


scalars = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(st.characters(max_codepoint=127))
trees = st.recursive(scalars, lambda inner: st.dictionaries(st.text("ab\n"), inner, max_size=3), max_leaves=20)


@given(tree=trees, options=st.sampled_from(ENCODINGS))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_values_come_back(tmp_path: Path, tree: Any, options: dict[str, Any]) -> None:
    file = load(tmp_path / "x.t7", dumps(tree, **options))
    assert plain(file, file.root) == tree


def test_shared_and_cyclic_objects(tmp_path: Path) -> None:
    table: dict[str, Any] = {"again": TRANSPOSED, "twice": TRANSPOSED}
    table["self"] = table
    table["module"] = Obj("nn.Module", {"parent": table})
    root = load(tmp_path / "x.t7", dumps(table)).root
    assert isinstance(root, Table)
    module = root.items["module"]
    assert isinstance(module, Module)
    assert root.items["self"] is root
    assert root.items["again"] is root.items["twice"]
    assert module.fields.items["parent"] is root


@pytest.mark.parametrize("type_number", [6, 7, 8])
@pytest.mark.parametrize("options", ENCODINGS)
def test_functions_are_skipped(tmp_path: Path, type_number: int, options: dict[str, Any]) -> None:
    function = Fun(b"\x1bLJ\n4", [{"name": "x", "value": 1}], type_number)
    root = load(tmp_path / "x.t7", dumps([function, "after"], **options)).root
    assert isinstance(root, Table)
    assert isinstance(root.items[1.0], LuaFunction)
    assert root.items[2.0] == "after"


def test_classes_without_a_version(tmp_path: Path) -> None:
    root = load(tmp_path / "x.t7", dumps(Obj("nn.Module", {"a": 1}, version=None))).root
    assert isinstance(root, Module)
    assert (root.class_name, root.version) == ("nn.Module", 0)


EVERYTHING = {
    "number": 0.5,
    "flag": True,
    "nothing": None,
    "module": Obj("nn.Linear", {"weight": TRANSPOSED, "same": TRANSPOSED.storage}, version=2),
    "function": Fun(b"bytecode", []),
    "empty": Ten("Float", (), (), 0, None),
}


def fields(options: dict[str, Any]) -> tuple[bytes, list[Field]]:
    writer = Writer(**options).write(EVERYTHING)
    return bytes(writer.data), writer.fields


@pytest.mark.parametrize("options", ENCODINGS)
def test_truncated_at_every_field(tmp_path: Path, options: dict[str, Any]) -> None:
    data, places = fields(options)
    for cut in sorted({place.start for place in places} | {(place.start + place.end) // 2 for place in places}):
        with pytest.raises(FormatError, match=r"x\.t7: .*(expected|empty)"):
            read_checkpoint(write(tmp_path / "x.t7", data[:cut]))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


#: Fields where another value can't be right; the others may give another view of the same storage, or another object.
CHECKED = {"length", "count", "dimensions"}


@pytest.mark.parametrize("options", ENCODINGS)
def test_every_length_field_lying(tmp_path: Path, options: dict[str, Any]) -> None:
    data, places = fields(options)
    for place in places:
        if place.kind not in CHECKED | {"type", "index", "size", "stride", "offset"}:
            continue
        for falsify in (lambda n: n - 1, lambda n: n + 1, lambda n: -n - 1, lambda n: 2**31 - 1, lambda n: -(2**31)):
            lie = falsified(data, place, falsify, options)
            if lie is None:
                continue
            tracemalloc.start()
            try:
                root = load(tmp_path / "x.t7", lie).root
            except FormatError as error:
                assert "expected" in str(error)  # noqa: PT017
            else:
                assert place.kind not in CHECKED, place
                assert isinstance(root, Table)
            finally:
                peak = tracemalloc.get_traced_memory()[1]
                tracemalloc.stop()
            assert peak < 1 << 20, place


def falsified(data: bytes, place: Field, falsify: Any, options: dict[str, Any]) -> bytes | None:
    """The file with another number in this place; None where that makes no difference."""
    old = data[place.start : place.end]
    if options.get("ascii"):
        words = old.split()
        new = b" ".join([b"%d" % falsify(int(words[0])), *words[1:]]) + b"\n" if words else old
    else:
        new = falsify(int.from_bytes(old, "little", signed=True)).to_bytes(len(old), "little", signed=True)
    return None if new == old else data[: place.start] + new + data[place.end :]


def nested(depth: int) -> bytes:
    """{1: {1: ... {1: 1}}}"""
    tables = (struct.pack("<3iid", 3, i + 1, 1, 1, 1) for i in range(depth))
    return b"".join(tables) + struct.pack("<id", 1, 1)


def test_deep_nesting(tmp_path: Path) -> None:
    assert isinstance(load(tmp_path / "x.t7", nested(MAX_DEPTH)).root, Table)
    for depth in (MAX_DEPTH + 1, 200_000):
        with pytest.raises(FormatError, match=f"nested at most {MAX_DEPTH} deep"):
            load(tmp_path / "x.t7", nested(depth))


def test_too_many_values(tmp_path: Path) -> None:
    entries = b"".join(struct.pack("<idi", 1, key, 0) for key in range(MAX_VALUES))
    with pytest.raises(FormatError, match=f"at most {MAX_VALUES:,} values"):
        load(tmp_path / "x.t7", struct.pack("<3i", 3, 1, MAX_VALUES) + entries)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (Ten("Float", (2,), (1,), 0, Sto("Double", np.zeros(2))), "expected a torch.FloatStorage.*DoubleStorage"),
        (Ten("Float", (2,), (1,), 0, None), "a view of the 0 elements"),
        (Ten("Float", (2,), (1,), -1, TRANSPOSED.storage), "offset -1"),
        (Ten("Float", (2,), (-1,), 1, TRANSPOSED.storage), "stride"),
        (Ten("Float", (0,), (1,), 0, TRANSPOSED.storage), "size"),
        (Ten("Float", (2, 2), (2, 2), 0, Sto("Float", np.zeros(4, "f4"))), "a view of the 4 elements"),
        (Ten("Float", (1,) * 17, (1,) * 17, 0, TRANSPOSED.storage), "0 to 16 dimensions"),
        (Obj("nn.Module", 5), "a table with the fields of the nn.Module, found 5"),
        ({None: 1}, "a key that the table doesn't have yet, found None"),
        ({math.nan: 1}, "a key that the table doesn't have yet"),
        (Obj("nn.DataParallelTable", {}, version=2), "expected .*, found"),
    ],
)
def test_broken_objects(tmp_path: Path, value: Any, message: str) -> None:
    for options in ENCODINGS:  # with longs of 4 bytes, the message can be that of the attempt with 8
        with pytest.raises(FormatError, match="expected" if options.get("long_size") else message):
            load(tmp_path / "x.t7", dumps(value, **options))


def test_a_key_twice(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="a key that the table doesn't have yet"):
        load(tmp_path / "x.t7", struct.pack("<3i" + "idi" * 2, 3, 1, 2, 1, 1.0, 0, 1, 1.0, 0))


@pytest.mark.parametrize("options", ENCODINGS)
def test_more_bytes_than_the_object(tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(FormatError, match="expected the end of the file, found 1 more bytes"):
        load(tmp_path / "x.t7", dumps([TRANSPOSED], **options) + b"\x07")


def test_elements_are_read_at_most_twice(tmp_path: Path) -> None:
    """A small file can't be made to fill the memory with views of one storage."""
    storage = Sto("Float", np.zeros(1000, "f4"))
    views = [Ten("Float", (1000,), (1,), 0, storage) for _ in range(3)]
    views.append(Ten("Float", (1000, 1000), (0, 1), 0, storage))
    (tmp_path / "x.t7").write_bytes(dumps(views))
    with opened(tmp_path / "x.t7") as file:
        assert isinstance(file.root, Table)
        first, second, third, square = file.root.items.values()
        for tensor in (first, second):
            assert isinstance(tensor, Tensor)
            assert len(file.array(tensor)) == 1000
        for tensor in (third, square):
            assert isinstance(tensor, Tensor)
            with pytest.raises(FormatError, match="shares its elements"):
                file.array(tensor)


@pytest.mark.parametrize("elements", [b"1 2 x 4", b"10 2 3", b"1 2 3 4 5", b"1 2  4", b"1,2,3,4"])
def test_text_that_is_not_numbers(tmp_path: Path, elements: bytes) -> None:
    def read() -> None:
        with opened(write(tmp_path / "x.t7", GOLDEN_TEXT.replace(b"1 2 3 4", elements))) as file:
            plain(file, file.root)

    with pytest.raises(FormatError, match="4 numbers"):
        read()


def test_storages_are_not_read_before_they_are_asked_for(tmp_path: Path) -> None:
    big = Ten("Float", (1 << 20,), (1,), 0, Sto("Float", np.zeros(1 << 20, "f4")))
    for options in ENCODINGS:
        (tmp_path / "x.t7").write_bytes(dumps({"gradWeight": big}, **options))
        tracemalloc.start()
        with opened(tmp_path / "x.t7") as file:
            assert any(isinstance(item, Storage) for item in file.objects)
            peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1 << 20  # of 4 MiB binary, 2 MiB text


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (GOLDEN, True),
        (GOLDEN_TEXT, True),
        (struct.pack("<Q", 4) + b'{"a"', False),  # safetensors
        (b"\x80\x02\x8a\n", False),
        (b"3\n", False),
        (b"\x03\x00\x00\x00", False),
        (bytes(16), False),
    ],
)
def test_recognition(head: bytes, expected: bool) -> None:
    assert looks_like_torch7(head, len(head)) is expected


def test_a_table_that_could_be_a_safetensors_header(tmp_path: Path) -> None:
    data = dumps([0] * ord("{"))
    assert data[8:9] == b"{"
    with pytest.raises(Exception, match="expected one network"):
        read_checkpoint(write(tmp_path / "x.t7", data))


def test_a_class_of_another_package_is_not_called_broken(tmp_path: Path) -> None:
    """tds.Hash writes its length, keys and values, and no table of fields."""
    (tmp_path / "x.t7").write_bytes(dumps({"options": Obj("tds.Hash", {}), "model": Obj("nn.Sequential", {})}))
    with pytest.raises(
        FormatError, match=r"found a tds.Hash, which only Lua's own package reads; save the network"
    ) as c:
        read_checkpoint(tmp_path / "x.t7")
    assert "anew" not in str(c.value)


def test_a_text_that_isn_t_understood_may_be_an_old_one_s(tmp_path: Path) -> None:
    (tmp_path / "x.t7").write_bytes(GOLDEN_TEXT.replace(b"V 1", b"W 1"))
    with pytest.raises(FormatError, match=r"if it is whole, it is an old Torch's text: save it in binary"):
        read_checkpoint(tmp_path / "x.t7")
