"""A dense block as one function: its gradients are numerical ones, it holds its features once, and DDP takes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ranks import in_processes
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.memory import run_block, set_memory
from densezoo.families.densenet.network import DenseBlock, DenseNet, Transition

ARCH = DenseNetArchitecture(2, (2, 1), 3, bn_size=1, stem="cifar", num_classes=2)
LESS = ["shared", "recompute", "checkpoint"]


@pytest.mark.parametrize("mode", ["shared", *(pytest.param(mode, marks=pytest.mark.slow) for mode in LESS[1:])])
def test_the_gradients_are_numerical_ones(mode: str) -> None:
    torch.manual_seed(0)
    block, transition = DenseBlock(2, 3, ARCH).double(), Transition(7, ARCH).double()
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    weights = [*block.parameters(), *transition.parameters()]

    def run(x: Tensor, *_: Tensor) -> Tensor:
        made: Tensor = run_block(x, block, transition, mode, torch.contiguous_format)
        return made

    torch.autograd.gradcheck(run, (x, *weights))


@pytest.mark.parametrize("mode", LESS)
@pytest.mark.parametrize("reduced", [False, True])
def test_float32_features_under_autocast(mode: str, reduced: bool) -> None:
    """As a stem leaves them that autocast computes in float32: the plain modules' types, and as near to float64."""
    torch.manual_seed(0)
    block, transition = DenseBlock(2, 3, ARCH), Transition(7, ARCH) if reduced else None
    weights = [*block.parameters(), *(transition.parameters() if transition else [])]

    def gradients(dtype: torch.dtype, by_function: bool) -> tuple[torch.dtype, list[Tensor]]:
        x = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(1)).to(dtype).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            if by_function:
                made = run_block(x, block, transition, mode, torch.contiguous_format)
            else:
                made = transition(block(x)) if transition else block(x)
            loss = (made.double() - 1).square().mean()
        return made.dtype, list(torch.autograd.grad(loss, [x, *weights]))

    plain, own = (gradients(torch.float32, by_function) for by_function in (False, True))
    for module in (block, transition):
        if module is not None:
            module.double()
    weights = [*block.parameters(), *(transition.parameters() if transition else [])]
    _, exact = gradients(torch.float64, False)
    assert own[0] == plain[0]
    assert [each.dtype for each in own[1]] == [each.dtype for each in plain[1]]
    errors = [sum(float((a.double() - b).norm()) for a, b in zip(found[1], exact)) for found in (plain, own)]
    assert 0 < errors[1] < 1.3 * errors[0]


@pytest.mark.parametrize("mode", LESS)
def test_a_second_derivative_is_refused(mode: str) -> None:
    x = torch.randn(2, 3, 4, 4, requires_grad=True)
    made = run_block(x, DenseBlock(2, 3, ARCH), None, mode, torch.contiguous_format)
    (gradient,) = torch.autograd.grad(made.square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()  # type: ignore[no-untyped-call]


def test_what_is_kept() -> None:
    """The features once; besides, shared: the bottlenecks' outputs; checkpoint: the input alone."""
    block, transition = DenseBlock(2, 3, ARCH), Transition(7, ARCH)
    x = torch.randn(2, 3, 16, 16, requires_grad=True)
    kept = {}
    for mode in LESS:
        tensors: dict[int, Tensor] = {}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda tensor, seen=tensors: seen.setdefault(tensor.untyped_storage().data_ptr(), tensor),  # type: ignore[misc]
            lambda tensor: tensor,
        ):
            made = run_block(x, block, transition, mode, torch.contiguous_format)
        assert made.shape == (2, 3, 8, 8)
        kept[mode] = sorted(tensor.shape[1] for tensor in tensors.values() if tensor.ndim == 4 and len(tensor) == 2)
        kept[mode] = [channels for channels in kept[mode] if channels]
    assert [each.count(7) for each in kept.values()] == [1, 1, 0]
    maps = {mode: [c for c in each if c in (2, 3, 7)] for mode, each in kept.items()}
    assert len(maps["shared"]) == len(maps["recompute"]) + 2


def _rank(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    found = []
    for mode in ("none", "shared"):
        torch.manual_seed(0)
        network = DenseNet(ARCH).double()
        set_memory(network, mode)
        parallel = DistributedDataParallel(network)
        images = torch.randn(4, 3, 6, 6, generator=torch.Generator().manual_seed(rank), dtype=torch.float64)
        parallel(images).square().sum().backward()
        found.append([parameter.grad for parameter in network.parameters()])
    torch.testing.assert_close(found[1], found[0], rtol=1e-10, atol=1e-12)
    torch.save([each.clone() for each in found[1] if each is not None], f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.mark.forks
def test_two_processes_have_the_gradients_of_both(tmp_path: Path) -> None:
    in_processes(lambda rank: _rank(rank, str(tmp_path)))
    first, second = (torch.load(tmp_path / f"{rank}.pt") for rank in (0, 1))
    assert len(first) == len(list(DenseNet(ARCH).parameters()))
    assert all(torch.equal(a, b) for a, b in zip(first, second))
