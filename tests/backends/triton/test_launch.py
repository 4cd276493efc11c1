"""The kernels compile for GPUs that aren't there: Triton's compiler and NVIDIA's assembler need none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from densezoo.backends.triton import kernels
from densezoo.backends.triton.launch import LARGEST_WIDTH, SIZES, TILES, block_n

KERNELS = {kernel.fn.__name__: kernel for kernel in (kernels.norm_relu_product, kernels.convolve_3x3)}
SHARED = {80: 166912, 90: 232448}  # {compute capability x 10: bytes of shared memory that a program may have}
TYPES = {2: "bf16", 4: "fp32"}


def compiled(name: str, size: int, tile: int, variant: bool, capability: int) -> Any:
    """The machine code of a kernel.

    Args:
        name: of KERNELS.
        size: bytes a number.
        tile: number in TILES.
        variant: pooled or with a norm.
        capability: of the GPU, x 10.
    """
    kernel, config = KERNELS[name], TILES[size][tile]
    flags = {"POOL": variant, "RELU": not variant, "NORM": variant, "IEEE": size == 4, "BLOCK_N": LARGEST_WIDTH[size]}
    constants = {name: value for name, value in {**flags, **config.kwargs}.items() if name in kernel.arg_names}
    types = {
        "x": TYPES[size],
        "weight": TYPES[size],
        "out": TYPES[size],
        "scale": "fp32",
        "shift": "fp32",
        "bias": "fp32",
    }
    signature = {
        name: "constexpr" if name in constants else f"*{types[name]}" if name in types else "i32"
        for name in kernel.arg_names
    }
    aligned = [*types, "channels", "width", "x_stride", "out_stride"]  # as with growth rates that 16 divides
    source = ASTSource(
        kernel,
        signature,
        {(kernel.arg_names.index(name),): value for name, value in constants.items()},
        {(i,): [["tt.divisibility", 16]] for i, name in enumerate(kernel.arg_names) if name in aligned},
    )
    options = {"num_warps": config.num_warps, "num_stages": config.num_stages, "enable_fp_fusion": True}
    return triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)


def every_tile() -> list[tuple[str, int, int, bool, int]]:
    return [
        (name, size, tile, variant, capability)
        for name in KERNELS
        for size, tiles in TILES.items()
        for tile in range(len(tiles))
        for variant in (False, True)
        for capability in SHARED
    ]


@pytest.mark.parametrize(
    ("name", "size", "tile", "variant", "capability"),
    [pytest.param(*case, marks=() if case[1:] == (2, 0, False, 90) else pytest.mark.slow) for case in every_tile()],
)
def test_a_kernel_compiles_and_fits_the_gpu(
    name: str, size: int, tile: int, variant: bool, capability: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    code = compiled(name, size, tile, variant, capability)
    assert code.metadata.shared <= SHARED[capability]
    assembly = code.asm["ptx"]
    assert "cp.async" in assembly, "loads of the next tile run beside the product of this one"
    if size == 4:
        assert "mma" not in assembly, "float32 is not rounded to TF32"
        assert "fma.rn.f32" in assembly
    else:
        assert ("wgmma.mma_async" if capability == 90 else "mma.sync") in assembly
    if variant or "norm" in name:
        assert "max.NaN.f32" in assembly, "ReLU lets NaN through, as PyTorch's does"


def test_tiles_are_chosen_by_arguments_that_the_kernels_have() -> None:
    for kernel, sizes in SIZES.items():
        assert set(sizes) < set(kernel.arg_names)
        assert not {"rows", "x", "out"} & set(sizes), "another batch size would try all tiles again"


@pytest.mark.parametrize(
    ("width", "size", "expected"), [(12, 2, 16), (32, 2, 32), (48, 2, 64), (192, 2, 128), (192, 4, 64)]
)
def test_columns_of_a_tile(width: int, size: int, expected: int) -> None:
    assert block_n(width, size) == expected
