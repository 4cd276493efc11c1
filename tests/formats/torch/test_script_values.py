"""What TorchScript's operators give: steps where an image comes in, numbers where none does, and else nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.formats.torch import aten
from densezoo.formats.torch.script_code import NotFollowed
from densezoo.formats.torch.script_values import (
    UNKNOWN,
    Activation,
    ScriptSteps,
    Sizes,
    Transposed,
    answer,
    flat,
    flattened,
    is_instance,
)
from densezoo.formats.torch.tensors import Deferred, TorchStorage
from densezoo.types import Node

WEIGHT = Deferred(TorchStorage("f4", "0", 6), 0, (2, 3), (3, 1))
BIAS = Deferred(TorchStorage("f4", "1", 2), 0, (2,), (1,))


def begun() -> tuple[ScriptSteps, Activation]:
    """The steps of a module with a weight and a bias, and its image."""
    steps = ScriptSteps({id(WEIGHT): "fc.weight", id(BIAS): "fc.bias"})
    return steps, Activation(steps.add("input", "x", (), {}))


def computed(steps: ScriptSteps, word: str, *operands: object) -> Activation:
    """The tensor that an operator computes."""
    tensor = steps.operate(word, list(operands), {})
    assert isinstance(tensor, Activation)
    return tensor


def test_a_layer_takes_its_weights_by_their_names() -> None:
    steps, x = begun()
    y = steps.operate("linear", [x, WEIGHT, BIAS], {})
    z = computed(steps, "addmm", BIAS, y, answer("t", [WEIGHT]))
    assert list(steps.steps.values())[1:] == [
        Node("linear", "1 linear", ("0 x",), {}, ("fc.weight", "fc.bias")),
        Node("linear", "2 addmm", ("1 linear",), {}, ("fc.weight", "fc.bias")),
    ]
    assert (z.step, z.rank, z.shared) == ("2 addmm", 4, False)
    assert steps.steps[computed(steps, "addmm", BIAS, x, WEIGHT).step].op == "addmm of values that are computed"


def test_a_weight_that_is_computed_shows_in_the_step() -> None:
    steps, x = begun()
    for weight in (UNKNOWN, x, 3.0):
        made = computed(steps, "linear", x, weight, None)
        assert steps.steps[made.step].op == "linear of values that are computed"


def test_what_works_in_place_changes_the_tensor_itself_and_no_view_of_it() -> None:
    steps, x = begun()
    made = steps.operate("relu_", [x], {})
    assert made is x
    assert steps.steps[x.step].op == "relu"
    rows = computed(steps, "flatten", x, 1)
    assert (rows.rank, rows.shared, x.shared) == (2, True, True)
    for tensor in (x, rows):
        with pytest.raises(NotFollowed, match="^relu_ changes what other tensors see$"):
            steps.operate("relu_", [tensor], {})
    copy = computed(steps, "clone", x)
    assert not copy.shared
    assert steps.operate("relu_", [copy], {}) is copy


def test_dropout_is_no_step_and_contiguous_may_share() -> None:
    steps, x = begun()
    assert steps.operate("dropout", [x, 0.5, False], {}) is x
    again = computed(steps, "contiguous", x)
    assert (again.step, again.shared, x.shared) == (x.step, True, True)
    assert len(steps.steps) == 1


@pytest.mark.parametrize(
    ("word", "given_", "named", "message"),
    [
        ("mul", ["x", 2], {"out": "x"}, "mul changes its arguments"),
        ("insert", [["x"], 0, "x"], {}, "insert changes its arguments"),
        ("mul_", [WEIGHT, 2], {}, "mul_ changes a weight, as in training mode"),
        ("batch_norm", [WEIGHT, 2], {}, "batch_norm changes a weight, as in training mode"),
        ("_set_item", [[1], 0, 2], {}, "_set_item may change a list"),
        ("append", [[1], [2]], {}, "lists inside lists"),
    ],
)
def test_what_changes_what_others_see_is_not_followed(
    word: str, given_: list[Any], named: dict[str, Any], message: str
) -> None:
    steps, x = begun()
    values = [x if value == "x" else [x] if value == ["x"] else value for value in given_]
    with pytest.raises(NotFollowed, match=f"^{message}$"):
        steps.operate(word, values, named)


def test_lists_grow_by_append_alone() -> None:
    steps, x = begun()
    features = [x]
    assert steps.operate("append", [features, x], {}) is features
    joined = computed(steps, "cat", features, 1)
    assert steps.steps[joined.step] == Node("concat", "1 cat", ("0 x", "0 x"), {"axis": 1})
    assert flattened([x, [1, 2], "text"]) == [x, 1, 2, "text"]
    with pytest.raises(NotFollowed, match="lists inside lists"):
        flat((1, 2))


@given(st.integers(-99, 99), st.integers(-99, 99))
def test_numbers_are_reckoned_as_python_does(a: int, b: int) -> None:
    assert [answer(word, [a, b]) for word in ("add", "sub", "mul", "eq", "lt", "__isnot__")] == [
        a + b, a - b, a * b, a == b, a < b, a is not b,
    ]  # fmt: skip
    assert answer("__getitem__", [[a, b], 1]) == b
    assert answer("len", [[a, b]]) == 2


def test_numbers_that_grow_without_end_are_not_followed() -> None:
    assert answer("mul", [1 << 31, 1 << 31]) == 1 << 62
    with pytest.raises(NotFollowed, match="a number of 64 bits"):
        answer("mul", [1 << 32, 1 << 31])
    assert answer("mul", ["x", 1 << 40]) is UNKNOWN  # no text of a terabyte


def test_of_an_image_s_size_only_the_rank_and_the_number_of_images_are_known() -> None:
    _, x = begun()
    sizes = answer("size", [x])
    assert sizes == Sizes(4)
    assert answer("len", [sizes]) == answer("dim", [x]) == 4
    assert answer("size", [x, 0]) == answer("__getitem__", [sizes, 0]) == answer("int", [aten.BATCH]) == aten.BATCH
    assert answer("size", [x, 2]) is answer("__getitem__", [sizes, -1]) is UNKNOWN
    assert answer("eq", [aten.BATCH, 3]) is UNKNOWN
    assert answer("gt", [x, 0]) is UNKNOWN
    assert answer("requires_grad", [x]) is False
    assert answer("__is__", [x, None]) is False
    assert answer("__is__", [UNKNOWN, None]) is UNKNOWN


def test_only_a_matrix_whose_sides_are_swapped_is_transposed() -> None:
    assert answer("t", [WEIGHT]) == Transposed(WEIGHT) == answer("permute", [WEIGHT, [1, 0]])
    assert answer("permute", [WEIGHT, [0, 1, 2]]) is UNKNOWN
    assert answer("transpose", [WEIGHT, 0, 2]) is UNKNOWN


def test_types_of_values() -> None:
    _, x = begun()
    assert is_instance(x, "Tensor") is True
    assert is_instance([x, WEIGHT], "List[Tensor]") is True
    assert is_instance([x, 3], "List[Tensor]") is False
    assert is_instance([x], "Tensor") is False
    assert is_instance(UNKNOWN, "Tensor") is UNKNOWN
    assert is_instance(3, "int") is UNKNOWN
