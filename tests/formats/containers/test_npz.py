"""NumPy's arrays in a zip archive, header by header."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from oversized import npy, zipped

from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.containers.npz import MAX_HEADER, read_npz
from densezoo.formats.containers.zip import Archive

DTYPES = ["<f2", ">f4", "<f8", "|i1", ">i2", "<i4", "<i8", "|u1", "|b1"]


def read(members: dict[str, bytes]) -> dict[str, torch.Tensor]:
    archive = Archive(in_memory(Path("m.npz"), io.BytesIO(zipped(members))))
    return dict(read_npz(archive, "").tensors)


@given(
    st.sampled_from(DTYPES), st.lists(st.integers(1, 4), max_size=4), st.booleans(), st.sampled_from([(1, 0), (2, 0)])
)
def test_what_numpy_writes_is_read(dtype: str, shape: list[int], fortran: bool, version: tuple[int, int]) -> None:
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), order="F" if fortran else "C")
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version)
    (tensor,) = read({"layer/W.npy": buffer.getvalue()}).values()
    assert tensor.shape == array.shape
    assert tensor.numpy().dtype == array.dtype.newbyteorder("=")
    assert np.array_equal(tensor.numpy(), array)


def test_names_are_the_members_without_their_ending() -> None:
    member = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (6,)}")
    assert list(read({"a/b.npy": member, "c.npy.npy": member, "d": member})) == ["a/b", "c.npy", "d"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "w: expected numpy's array format; found b''"),
        (b"\x93NUMPX\1\0\0\0", r"found b'\x93NUMPX\x01\x00'"),
        (b"\x93NUMPY\2\0" + struct.pack("<I", MAX_HEADER), "expected numpy's array format"),
        (npy("{'descr': '<f4', 'shape': (6,)}"), "no readable header ({'descr': '<f4', 'shape': (6,)}"),
        (npy("{'descr': '<c8', 'fortran_order': False, 'shape': (3,)}"), "holds '<c8'; expected numbers"),
        (npy("{'descr': '!f4', 'fortran_order': False, 'shape': (6,)}"), "holds '!f4'; expected numbers"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (6,)}"), "holds [('a', '<f4')]; expected"),
        (npy("{'descr': '<f4', 'fortran_order': True, 'shape': (7, 1)}"), "expected 28 bytes; found 24"),
    ],
)
def test_headers_that_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(FormatError) as caught:
        read({"w": content})
    assert str(caught.value).startswith("m.npz: w: ")
    assert message in str(caught.value)
