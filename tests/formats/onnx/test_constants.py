"""What ONNX's operators make of constants, one by one."""

from __future__ import annotations

import struct
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import FormatError
from densezoo.formats.limits import MAX_DIMENSIONS, MAX_REPEATED
from densezoo.formats.onnx.constants import MAX_SMALL, NUMBER_OF_IMAGES, Constant, folded, stored_constant

sides = st.lists(st.integers(0, 5), max_size=5).map(tuple)


def stored(numbers: list[int], **more: Any) -> dict[str, Any]:
    """A TensorProto of whole numbers, as the protobuf reader gives it."""
    raw = struct.pack(f"<{len(numbers)}q", *numbers)
    return {"dims": [len(numbers)], "dtype": 7, "raw_data": raw, "external_data": [], **more}


def whole(*numbers: int) -> Constant:
    return Constant((len(numbers),), computed=numbers)


def made(op: str, *given: Constant | None, **attributes: dict[str, Any]) -> Constant | None:
    """What a step makes of its inputs; None among them: a tensor that depends on the image."""
    node = {
        "op": op,
        "input": [f"x{i}" for i in range(len(given))],
        "attribute": [{"name": name, **value} for name, value in attributes.items()],
    }
    return folded(node, {f"x{i}": constant for i, constant in enumerate(given) if constant is not None})


def test_constants_of_every_attribute() -> None:
    assert made("Constant", value={"t": stored([3, 4])}) == stored_constant(stored([3, 4]))
    assert made("Constant", value_ints={"ints": [3, 4]}) == whole(3, 4)
    assert made("Constant", value_int={"i": 3}) == Constant((), computed=(3,))
    assert made("Constant", value_float={"f": 0.5}) == Constant((), value=0.5)
    assert made("Constant", value_string={}) is None


def test_fillings_and_expansions_stay_one_number() -> None:
    assert made("ConstantOfShape", whole(2, 3)) == Constant((2, 3))
    one = {"dims": [1], "dtype": 1, "raw_data": struct.pack("<f", 0.5), "external_data": []}
    filled = made("ConstantOfShape", whole(1 << 20, 3), value={"t": one})
    assert filled == Constant((1 << 20, 3), value=0.5)
    assert made("Expand", Constant((1,), value=0.5), whole(2, 3)) == Constant((2, 3), value=0.5)
    same = stored_constant(stored([3, 4]))
    assert made("Expand", same, whole(1)) is same
    assert made("Expand", same, whole(2, 2)) is None  # two numbers, repeated in turn
    table = stored_constant(stored([1, 2, 3, 4, 5, 6], dims=[2, 3]))
    assert made("Expand", table, whole(3)) is table  # sides are held against each other from the last one on
    assert made("Expand", table, whole(2, 3)) is table
    assert made("Expand", table, whole(3, 2)) is made("Expand", table, whole(2)) is None


@given(sides, st.integers(-3, 3), st.integers(-3, 3))
def test_shapes_are_sliced_as_lists_are(shape: tuple[int, ...], start: int, end: int) -> None:
    assert made("Shape", Constant(shape)) == whole(*shape)
    assert made("Shape", Constant(shape), start={"i": start}, end={"i": end}) == whole(*shape[start:end])


def test_of_an_image_s_shape_only_the_number_of_images_is_known() -> None:
    assert made("Shape", None, end={"i": 1}) == whole(NUMBER_OF_IMAGES)
    assert made("Shape", None) is None
    assert made("Shape", None, end={"i": 2}) is None


@given(sides, st.sets(st.integers(0, 7), max_size=3), st.booleans())
def test_unsqueezing_is_torch_s(shape: tuple[int, ...], places: set[int], as_attribute: bool) -> None:
    rank = len(shape) + len(places)
    if max(places, default=0) >= rank:
        return
    expected = torch.empty(shape)
    for place in sorted(places):
        expected = expected.unsqueeze(place)
    axes = sorted(place - rank if place % 2 else place for place in places)
    constant = (
        made("Unsqueeze", Constant(shape), axes={"ints": axes})
        if as_attribute
        else made("Unsqueeze", Constant(shape), whole(*axes))
    )
    assert constant is not None
    assert constant.shape == expected.shape
    squeezed = made("Squeeze", constant)
    assert squeezed is not None
    assert squeezed.shape == tuple(side for side in shape if side != 1)


def test_reshapings_work_one_side_out_and_keep_the_numbers() -> None:
    six = stored_constant(stored([1, 2, 3, 4, 5, 6]))
    for shape, expected in (((2, 3), (2, 3)), ((2, -1), (2, 3)), ((-1,), (6,))):
        constant = made("Reshape", six, whole(*shape))
        assert constant is not None
        assert (constant.shape, constant.stored) == (expected, six.stored)
    assert made("Reshape", six, whole(4, -1)) is None
    assert made("Reshape", six, whole(5)) is None


def test_joined_numbers_are_a_short_list() -> None:
    assert made("Concat", whole(NUMBER_OF_IMAGES), stored_constant(stored([3, 4]))) == whole(NUMBER_OF_IMAGES, 3, 4)
    assert made("Concat", whole(*range(MAX_SMALL // 2)), whole(*range(MAX_SMALL // 2 + 1))) is None


def test_what_depends_on_the_image_or_is_not_known_is_no_constant() -> None:
    constant = whole(1)
    assert made("Identity", constant) is constant
    assert made("CastLike", constant, None) is constant
    assert made("Identity", None) is None
    assert made("Expand", constant, None) is None
    assert made("Mul", constant, constant) is None
    assert made("Reshape", constant, Constant((1,), value=0.5)) is None  # a shape that is not whole
    assert made("Reshape", Constant(()), whole(*[1] * MAX_DIMENSIONS)) is not None
    assert made("Reshape", Constant(()), whole(*[1] * (MAX_DIMENSIONS + 1))) is None


def test_numbers_where_they_lie() -> None:
    assert stored_constant(stored([3, -4])).numbers() == (3, -4)
    listed = {"dims": [2], "dtype": 7, "int64_data": [5, 6], "external_data": []}
    assert stored_constant(listed).numbers() == (5, 6)
    assert stored_constant(stored([3, 4])).tensor("w").tolist() == [3, 4]
    assert Constant((2, 1), computed=(3, 4)).tensor("w").tolist() == [[3], [4]]
    repeated = Constant((1000, 1000), value=0.5).tensor("w")
    assert (repeated.shape, repeated.untyped_storage().nbytes()) == ((1000, 1000), 4)


@pytest.mark.parametrize(
    ("constant", "message"),
    [
        (stored_constant(stored([1], location=1)), "w: its numbers are in another file"),
        (stored_constant(stored([1], external_data=[{}])), "w: its numbers are in another file"),
        (stored_constant(stored([1], dtype=8)), "w: is of ONNX's data type 8; expected numbers"),
        (stored_constant(stored([1], dims=[2])), "w: a <i8 array of shape .* expected 16 bytes; found 8"),
        (Constant((-1, 3)), "one number, repeated to the shape"),
        (Constant((MAX_REPEATED // 4 + 1,)), "one number, repeated to the shape"),
    ],
)
def test_numbers_that_are_refused(constant: Constant, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        constant.tensor("w")
