"""Bytes of a file: cut, counted and made into tensors, and nothing that a length merely claims."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats import binary
from densezoo.formats.binary import (
    BFLOAT16,
    SMALL,
    Bytes,
    check_expansion,
    cut,
    in_memory,
    item_size,
    open_file,
    to_tensor,
    without_numbers,
)
from densezoo.formats.limits import EXPANSION_SLACK, MAX_DIMENSIONS, MAX_EXPANSION, MAX_REPEATED

DTYPES = ["<f2", ">f2", "<f4", ">f4", "<f8", "i1", "u1", ">i2", "<i4", ">i8", "?"]


def data_of(content: bytes) -> Bytes:
    return in_memory(Path("m"), io.BytesIO(content))


@given(st.binary(max_size=40), st.lists(st.tuples(st.integers(-2, 45), st.integers(-2, 45)), min_size=1, max_size=3))
def test_a_cut_of_a_cut_is_a_slice_of_a_slice(content: bytes, cuts: list[tuple[int, int]]) -> None:
    data, expected = data_of(content), content
    for start, length in cuts:
        if start < 0 or length < 0 or start + length > len(expected):
            message = f"it should take {length:,} bytes from byte {start:,} on; there are {len(expected):,}"
            with pytest.raises(FormatError, match=message):
                cut(data, start, length, "it")
            return
        data, expected = cut(data, start, length, "it"), expected[start : start + length]
    assert (len(data), bytes(data.read())) == (len(expected), expected)


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 5), max_size=4), st.booleans())
def test_numbers_are_numpy_s_in_this_machine_s_order(dtype: str, shape: list[int], in_a_file: bool) -> None:
    array = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    content = array.tobytes()
    tensor = to_tensor(data_of(content) if in_a_file else content, dtype, shape, "w")
    assert tensor.numel() == array.size
    if array.size:
        assert tensor.numpy().dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(tensor.numpy(), array)
        tensor.reshape(-1)[0] = 1  # it can be written to


def test_bfloat16_is_its_upper_half_of_a_float32() -> None:
    numbers = torch.tensor([1.5, -2.0, 3e38, 0.0]).bfloat16()
    content = numbers.view(torch.int16).numpy().tobytes()
    assert to_tensor(content, BFLOAT16, [2, 2], "w").equal(numbers.reshape(2, 2))
    assert [item_size(dtype) for dtype in (BFLOAT16, "<f4", "?")] == [2, 4, 1]


@pytest.mark.parametrize(
    ("size", "shape", "message"),
    [
        (24, (7,), r"w: a <f4 array of shape \(7,\) expected 28 bytes; found 24"),
        (24, (5,), "expected 20 bytes; found 24"),
        (24, (-2, -3), r"shape \(-2, -3\) expected 24 bytes; found 24"),
        (24, (1 << 40, 1 << 40), "expected 4,835,703,278,458,516,698,824,704 bytes; found 24"),
        (4, (1,) * (MAX_DIMENSIONS + 1), f"has {MAX_DIMENSIONS + 1} sides; expected at most {MAX_DIMENSIONS}"),
    ],
)
def test_shapes_that_are_not_the_bytes(size: int, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(FormatError, match=message):
        to_tensor(bytes(size), "<f4", shape, "w")


def test_large_tensors_are_left_unread_when_only_shapes_are_wanted(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(bytes(2 * SMALL + 4))
    with open_file(tmp_path / "m", shapes_only=True) as data:
        small = to_tensor(cut(data, 0, SMALL, "w"), "<f4", (SMALL // 4,), "w")
        large = to_tensor(cut(data, SMALL, SMALL + 4, "w"), ">f4", (SMALL // 4 + 1, 1), "w")
    assert (small.is_meta, large.is_meta) == (False, True)
    assert (large.shape, large.dtype) == ((SMALL // 4 + 1, 1), torch.float32)
    assert without_numbers(BFLOAT16, (3,)).dtype == torch.bfloat16


def test_bytes_may_be_read_several_times_but_not_again_and_again(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(bytes(1 << 20))
    with open_file(tmp_path / "m") as data:
        for _ in range(MAX_EXPANSION + EXPANSION_SLACK // (1 << 20)):
            data.read()
        with pytest.raises(FormatError, match="the same bytes are used again and again"):
            data.read()


def test_a_file_that_claims_to_be_long_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary._Counted, "left", 3 * SMALL)
    (tmp_path / "m").write_bytes(bytes(1 << 20))

    def read() -> None:
        with open_file(tmp_path / "m") as data:
            data.read()

    with pytest.raises(FormatError, match="bytes to read; expected at most so many in a checkpoint"):
        read()


def test_a_file_that_changes_is_told_apart_from_one_that_is_broken(tmp_path: Path) -> None:
    path = tmp_path / "m"

    def read(change: bytes | None) -> None:
        path.write_bytes(b"x" * 10)
        with open_file(path) as data:
            if change is not None:
                path.write_bytes(change)
                os.utime(path, ns=(0, 0))
            cut(data, 0, 11, "a thing")

    with pytest.raises(FormatError, match="^a thing should take 11 bytes"):
        read(None)
    with pytest.raises(FormatError, match=r"was written to while it was read \(10 bytes before, 4 after\)"):
        read(b"more")
    with pytest.raises(FormatError, match=r"\(10 bytes before, 10 after\)"):
        read(b"y" * 10)


def test_repeated_numbers_and_shared_ones_are_counted_apart() -> None:
    one = torch.zeros(1)
    check_expansion("m", [one.expand(MAX_REPEATED // 4)], 0)
    with pytest.raises(
        FormatError, match=f"m: its tensors of one number, repeated, would take {MAX_REPEATED + 4:,} by"
    ):
        check_expansion("m", [one.expand(MAX_REPEATED // 4 - 1), one.expand(2)], 0)
    shared, size = torch.empty(EXPANSION_SLACK // 4 + 750, device="meta"), 1000
    check_expansion("m", [shared], size)
    with pytest.raises(FormatError, match=f"would take {EXPANSION_SLACK + 3004:,} bytes, and the file has 1,000"):
        check_expansion("m", [shared, one], size)
