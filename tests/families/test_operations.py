"""What key tables do to a source's tensors, number by number, and shape by shape on meta tensors."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from densezoo.families.operations import INVERSES, OPERATIONS

KERNEL = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)  # TensorFlow's height, width, in, out
MATRIX = torch.arange(6.0).reshape(2, 3)
VECTOR = torch.tensor([1.0, 2.0, 3.0])

CASES: dict[str, list[tuple[tuple[Tensor, ...], Tensor]]] = {
    "identity": [((MATRIX,), MATRIX)],
    "hwio": [((KERNEL,), torch.einsum("hwio->oihw", KERNEL))],
    "hwio_rotated": [((KERNEL,), torch.rot90(torch.einsum("hwio->oihw", KERNEL), 2, (2, 3)))],
    "transposed": [((MATRIX,), torch.tensor([[0.0, 3], [1, 4], [2, 5]]))],
    "matrix": [
        ((MATRIX,), MATRIX),
        ((MATRIX.reshape(2, 3, 1, 1),), MATRIX),
        ((MATRIX.reshape(1, 1, 2, 3),), MATRIX),
        ((KERNEL,), KERNEL),
    ],
    "hwio_matrix": [((MATRIX,), MATRIX.T), ((MATRIX.reshape(1, 1, 2, 3),), MATRIX.T)],
    "vector": [((VECTOR,), VECTOR), ((VECTOR.reshape(1, 1, 1, 3),), VECTOR), ((MATRIX,), MATRIX)],
    "divided": [
        ((VECTOR, torch.tensor([2.0])), torch.tensor([0.5, 1.0, 1.5])),
        ((VECTOR.reshape(1, 1, 1, 3), torch.tensor([[4.0]])), VECTOR / 4),
        ((VECTOR, torch.tensor([0.0])), torch.zeros(3)),
    ],
    "product": [((VECTOR, VECTOR), torch.tensor([1.0, 4.0, 9.0]))],
    "plus_1e-5": [((VECTOR,), torch.tensor([1.00001, 2.00001, 3.00001]))],
    "affine": [((VECTOR, VECTOR, torch.tensor([1.0, 1.0, 1.0])), torch.tensor([2.0, 5.0, 10.0]))],
}


def test_every_operation_is_here() -> None:
    assert CASES.keys() == OPERATIONS.keys()
    assert INVERSES.keys() <= OPERATIONS.keys()


@pytest.mark.parametrize("name", CASES)
def test_numbers_and_shapes(name: str) -> None:
    for tensors, expected in CASES[name]:
        made = OPERATIONS[name](*tensors)
        torch.testing.assert_close(made.expand(expected.shape), expected, rtol=0, atol=0)
        assert OPERATIONS[name](*(tensor.to("meta") for tensor in tensors)).shape == expected.shape


@given(st.lists(st.integers(1, 4), min_size=4, max_size=4))
def test_inverses_undo_what_writing_needs(sides: list[int]) -> None:
    tensor = torch.randn(sides, generator=torch.Generator().manual_seed(0))
    for name in ("identity", "hwio"):
        assert OPERATIONS[name](INVERSES[name](tensor)).equal(tensor)
    for name in ("transposed", "hwio_matrix", "matrix", "identity"):
        assert OPERATIONS[name](INVERSES[name](tensor[0, 0])).equal(tensor[0, 0])
    assert OPERATIONS["vector"](INVERSES["vector"](tensor[0, 0, 0])).equal(tensor[0, 0, 0])
