"""What stands in a pickle's place: names, dictionaries and arrays, and no object of any class."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.containers import pickle as pickled
from densezoo.formats.containers.pickle_values import HARMLESS, Array, Inert, Skipped, encoded, keyed

DTYPES = ["<f2", ">f4", "<f8", "|i1", ">i2", "<i4", "<i8", "|u1", "|b1"]


def load(value: object, protocol: int = 2) -> Any:
    return pickled.load(io.BytesIO(pickle.dumps(value, protocol)))


@given(st.sampled_from(DTYPES), st.lists(st.integers(0, 4), max_size=3), st.booleans(), st.integers(2, 4))
def test_numpy_s_arrays_come_back(dtype: str, shape: list[int], fortran: bool, protocol: int) -> None:
    array = np.asarray(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype), order="F" if fortran else "C")
    found = load(array, protocol)
    assert isinstance(found, Array)
    tensor = found.tensor("w")
    assert tensor.numel() == array.size
    if array.size:
        assert np.array_equal(tensor.numpy(), array)
        assert tensor.shape == array.shape


def array(shape: object = (2,), dtype: object = None, fortran: object = False, data: object = bytes(8)) -> Array:
    kind = Inert("numpy.dtype", ("f4",), (3, "<")) if dtype is None else dtype
    return Array("numpy.ndarray", (), (1, shape, kind, fortran, data))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (array(data="text"), "w: a numpy array whose parts don't fit together"),
        (array(shape=[2]), "parts don't fit together"),
        (array(shape=("2",)), "parts don't fit together"),
        (array(fortran=0), "parts don't fit together"),
        (array(dtype="f4"), "parts don't fit together"),
        (array(dtype=Inert("numpy.dtype", ("O8",))), "parts don't fit together"),
        (array(dtype=Inert("numpy.dtype", ("f16",))), "w: is of the dtype <f16; expected numbers"),
        (array(shape=(3,)), "expected 12 bytes; found 8"),
        (Array("numpy.ndarray", (), None), "parts don't fit together"),
    ],
)
def test_arrays_whose_parts_don_t_fit(wrong: Array, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        wrong.tensor("w")


def test_an_array_that_was_not_read_has_its_shape() -> None:
    tensor = array(shape=(2, 3, 4), fortran=True, data=Skipped()).tensor("w")
    assert (tensor.is_meta, tensor.shape, tensor.dtype) == (True, (2, 3, 4), torch.float32)


def test_dictionaries_of_every_kind_are_plain_ones() -> None:
    assert load(OrderedDict(a=1, b=2)) == {"a": 1, "b": 2}
    assert HARMLESS["collections.OrderedDict"](([["a", 1], ["b", 2]],)) == {"a": 1, "b": 2}  # Python 2's state
    assert HARMLESS["collections.defaultdict"]((list, {"a": 1})) == {"a": 1}
    assert HARMLESS["collections.Counter"](()) == {}


@given(
    st.lists(st.none() | st.integers() | st.text() | st.tuples(st.integers()), max_size=8).filter(
        lambda x: len(x) % 2 == 0
    )
)
def test_only_plain_keys_are_hashed(items: list[object]) -> None:
    found = keyed(items)
    for i, key in enumerate(items[::2]):
        assert (f"key {i}" if isinstance(key, tuple) else key) in found
    assert all(key is None or isinstance(key, (int, str)) for key in found)


def test_bytes_that_were_written_as_text() -> None:
    assert load(b"\x00\xff", protocol=2) == b"\x00\xff"
    assert load(b"", protocol=2) == b""
    assert HARMLESS["builtins.bytes"]((1 << 40,)) == Inert("builtins.bytes", (1 << 40,))
    assert encoded((Skipped(), "latin1")) == Skipped()
    with pytest.raises(ValueError, match="of no text"):
        encoded((b"bytes", "latin1"))


def test_no_harmless_name_makes_more_than_data() -> None:
    for name, make in HARMLESS.items():
        made = make(("text", "latin1"))
        assert type(made) in (dict, bytes, Inert, Array), name
        if isinstance(made, Inert):
            assert made.state is None
            assert made.arguments == ("text", "latin1")
