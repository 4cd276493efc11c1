"""Weights in the kernels' order."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from densezoo.backends.native.packing import WINOGRAD, norm, panels, vectors, winograd


def test_panels_of_two_vectors_and_a_last_one_of_one() -> None:
    matrix = np.arange(2 * 11, dtype=np.float64).reshape(1, 2, 11)
    expected = [*range(8), *range(11, 19), 8, 9, 10, 0, 19, 20, 21, 0]
    assert panels(matrix, 4).tolist() == expected


def test_matrices_stand_after_each_other() -> None:
    matrices = np.random.default_rng(0).standard_normal((3, 5, 17))
    each = [panels(matrix[None], 8) for matrix in matrices]
    assert np.array_equal(panels(matrices, 8), np.concatenate(each))


def test_numbers_fill_whole_vectors() -> None:
    assert vectors(np.array([1.0, 2, 3, 4, 5]), 4).tolist() == [1, 2, 3, 4, 5, 0, 0, 0]


def test_a_kernel_in_winograd_s_domain() -> None:
    weight = np.random.default_rng(1).standard_normal((2, 3, 3, 3))
    found = winograd(weight)
    expected = np.einsum("ai,bj,ncij->abcn", WINOGRAD, WINOGRAD, weight)
    np.testing.assert_allclose(found, expected.reshape(-1, 3, 2), atol=1e-12)


def test_a_norm_is_a_line() -> None:
    generator = np.random.default_rng(2)
    weight, bias, mean, x = (generator.standard_normal(6).astype(np.float32) for _ in range(4))
    variance = generator.random(6).astype(np.float32) + 0.1
    scale, shift = norm(weight, bias, mean, variance, 1e-3)
    m, v, w, b, images = (torch.from_numpy(values.astype(np.float64)) for values in (mean, variance, weight, bias, x))
    expected = functional.batch_norm(images[None], m, v, w, b, eps=1e-3)
    np.testing.assert_allclose(scale * x + shift, expected[0].numpy(), rtol=1e-12)
