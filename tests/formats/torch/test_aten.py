"""torch's operators as steps: an argument with which an operator is another one shows in the step's name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from densezoo.formats.torch import aten
from densezoo.types import Node
from densezoo.types.computation import Attributes

CONV = {"stride": (2, 2), "dilation": (1, 1), "pads": (3, 3, 3, 3), "groups": 1}


def described(operator: str, *given: Any, **named: Any) -> tuple[str, Attributes]:
    return aten.node_terms(operator, aten.arguments(operator, given) | aten.renamed(operator, named))


@pytest.mark.parametrize("operator", [*aten._OPERATORS, *aten._SAME])
def test_arguments_have_torch_s_order(operator: str) -> None:
    """Held against torch's own schemas, whose first arguments are those of every overload's call by position."""
    renamed = {new: old for old, new in aten._RENAMED.get(operator, {}).items()}
    names = [renamed.get(name, name).replace("self", "input") for name in aten.arguments(operator, range(99))]
    schemas = [
        [argument.name.replace("self", "input").replace("shape", "size") for argument in schema.arguments]
        for schema in torch._C._jit_get_schemas_for_operator(f"aten::{operator}")
    ]
    assert any(schema[: len(names)] == names or names[: len(schema)] == schema for schema in schemas), schemas


@pytest.mark.parametrize(
    ("operator", "given", "expected"),
    [
        ("conv2d", ("x", "w", None, [2], [3], [1, 1], 1), ("conv", CONV)),
        ("_convolution", ("x", "w", None, [2, 2], [3, 3], [1, 1], False, [0, 0], 1), ("conv", CONV)),
        ("_convolution", ("x", "w", None, [2], [3], [1], True), ("convolution with transposed True", {})),
        ("conv2d", ("x", "w", None, "x"), ("conv2d with stride x", {})),
        ("conv2d", ("x", "w", None, [1, 1, 1]), ("conv2d with stride [1, 1, 1]", {})),
        ("batch_norm", ("x", "w", "b", "m", "v", False, 0.1, 1e-5), ("norm", {"eps": 1e-5})),
        ("batch_norm", ("x", "w", "b", "m", "v", True, 0.1, 1e-5), ("batch_norm with training True", {})),
        ("relu_", ("x",), ("relu", {})),
        (
            "max_pool2d",
            ("x", [3, 3], [2, 2], [1, 1], [1, 1], True),
            ("max_pool", {**CONV, "kernel": (3, 3), "pads": (1, 1, 1, 1), "ceil_mode": True}),
        ),
        ("avg_pool2d", ("x", [2], [], [0], False, True, 3), ("avg_pool2d with divisor_override 3", {})),
        ("adaptive_avg_pool2d", ("x", [1, 1]), ("global_avg_pool", {"ceil_mode": False})),
        ("adaptive_avg_pool2d", ("x", [7, 7]), ("adaptive_avg_pool2d of another size than the map's", {})),
        ("mean", ("x", [-1, -2], True), ("global_avg_pool", {"ceil_mode": False})),
        ("mean", ("x", [1]), ("mean of another size than the map's", {})),
        ("cat", (["x", "y"], 1), ("concat", {"axis": 1})),
        ("cat", (["x", "y"], -3), ("concat", {"axis": -3})),
        ("cat", (["x", "y"], 2), ("cat over axis 2", {"axis": 2})),
        ("flatten", ("x", 1), ("flatten", {})),
        ("flatten", ("x", 0), ("flatten of 0 to -1", {})),
        ("view", ("x", [aten.BATCH, -1]), ("flatten", {})),
        ("view", ("x", [-1, 1024]), ("flatten", {"columns": 1024})),
        ("view", ("x", [4, 2, 8]), ("view of another shape than a row for each image", {})),
        ("addmm", ("b", "x", "w", 1, 1), ("linear", {})),
        ("addmm", ("b", "x", "w", 1, 2), ("addmm with alpha 2", {})),
        ("dropout", ("x", 0.5, False), ("identity", {})),
        ("feature_dropout", ("x", 0.5, True), ("dropout with train True", {})),
        ("log_softmax", ("x", -1), ("softmax", {})),
        ("softmax", ("x", 2), ("softmax over axis 2", {})),
        ("sigmoid", ("x",), ("sigmoid", {})),
    ],
)  # fmt: skip
def test_steps(operator: str, given: tuple[Any, ...], expected: tuple[str, Attributes]) -> None:
    op, attributes = described(operator, *given)
    assert op == expected[0]
    assert " " in op or attributes == expected[1]  # of a step that is refused, only the name counts


def test_names_in_place_of_places() -> None:
    assert described("addmm", self="b", mat1="x", mat2="w", beta=2)[0] == "addmm with beta 2"
    assert described("relu", inplace=True) == ("relu with inplace", {})


def test_transpositions() -> None:
    assert [aten.transposes(*call) for call in (
        ("t", []), ("numpy_T", []), ("permute", [[1, 0]]), ("permute", [[0, 1, 2]]), ("transpose", [0, 1]),
        ("transpose", [-1, -2]), ("transpose", [0, 2]),
    )] == [True, True, True, False, True, True, False]  # fmt: skip


def test_only_what_the_result_depends_on_is_kept() -> None:
    steps = {
        name: Node(op, name, inputs)
        for name, op, inputs in (
            ("x", "input", ()), ("a", "relu", ("x",)), ("unused", "flatten", ("x",)), ("b", "concat", ("x", "a"))
        )
    }  # fmt: skip
    assert [step.name for step in aten.reached(steps, "b")] == ["x", "a", "b"]
    with pytest.raises(ValueError, match=r"^zero_, whose result is not used$"):
        aten.reached({**steps, "z": Node("zero_", "z", ("a",))}, "b")
    with pytest.raises(ValueError, match=r"add_, whose result is not used \(saved in training mode\? call \.eval\(\)"):
        aten.reached({**steps, "z": Node("add_", "z", ("a",))}, "b")
    assert aten.reached({**steps, "z": Node("zero_", "z", ("a",))}, "z")[-1].op == "zero_"
