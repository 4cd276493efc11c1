"""With less kept for backward a DenseNet trains as before: loss, gradients, statistics, random numbers."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any, NamedTuple, cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import family_of
from densezoo.families.densenet import recomputed_step
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture
from densezoo.families.densenet.memory import MEMORY_MODES, SharedFeatures, set_memory
from densezoo.families.densenet.network import DenseNet

SMALL = DenseNetArchitecture(4, (2, 1), 6, stem="cifar", num_classes=3)
VARIANTS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without a bottleneck": {"bn_size": None, "reduction": 1.0},
    "dropout": {"drop_rate": 0.3},
    "max pools": {"transition_pool": "max"},
    "incomplete windows": {"ceil_mode": True},
    "blurred": {"aa_layer": "blurpool", "aa_stem_only": False},
    "dropout and max pools": {"transition_pool": "max", "drop_rate": 0.3},
}
LESS = [mode for mode in MEMORY_MODES if mode != "none"]
LAYOUTS = [torch.contiguous_format, torch.channels_last]


class Done(NamedTuple):
    """What a training step leaves."""

    loss: Tensor
    images: Tensor
    gradients: dict[str, Tensor | None]
    buffers: dict[str, Tensor]
    random: Tensor


def made(mode: str = "none", dtype: torch.dtype = torch.float64, **changes: Any) -> DenseNet:
    """A small network in training mode with weights that do something."""
    torch.manual_seed(0)
    network = DenseNet(dataclasses.replace(SMALL, **changes)).to(dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    set_memory(network, mode)
    return network.train()


def pictures(dtype: torch.dtype = torch.float64, layout: torch.memory_format = torch.contiguous_format) -> Tensor:
    """Three images of an odd side."""
    images = torch.randn(3, 3, 7, 6, generator=torch.Generator().manual_seed(1), dtype=dtype)
    return images.contiguous(memory_format=layout).requires_grad_()


def step(network: nn.Module, images: Tensor) -> Done:
    """One step without an optimiser."""
    torch.manual_seed(2)
    loss = functional.cross_entropy(network(images), torch.arange(3))
    loss.backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
    buffers = {name: buffer.clone() for name, buffer in network.named_buffers()}
    return Done(loss.detach(), images.grad, gradients, buffers, torch.get_rng_state())


def assert_equal(found: Done, expected: Done, **near: Any) -> None:
    """Whether two steps did the same; random numbers and counts of batches exactly."""
    torch.testing.assert_close(found[:4], expected[:4], **near)
    assert torch.equal(found.random, expected.random)
    counts = [name for name in expected.buffers if name.endswith("num_batches_tracked")]
    assert counts
    assert all(torch.equal(found.buffers[name], expected.buffers[name]) for name in counts)


EXACT: dict[str, Any] = {"rtol": 1e-10, "atol": 1e-12}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_step_is_the_plain_network_s(
    variant: str, layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = VARIANTS[variant]
    expected = step(made(**changes), pictures(layout=layout))
    for mode in LESS:
        for at_once in (1, 2**21):  # image by image, and all in one
            monkeypatch.setattr(recomputed_step, "AT_ONCE", at_once)
            assert_equal(step(made(mode, **changes), pictures(layout=layout)), expected, **EXACT)


@pytest.mark.parametrize("mode", LESS)
def test_in_float32_too(mode: str) -> None:
    expected = step(made(dtype=torch.float32), pictures(torch.float32))
    assert_equal(step(made(mode, torch.float32), pictures(torch.float32)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mode", LESS)
def test_frozen_norms_take_their_own_statistics(mode: str) -> None:
    """All norms of the first block, and one that reads what trained ones read too."""
    done = []
    for network in (made(), made(mode)):
        network.get_submodule("features.denseblock1").eval()
        network.get_submodule("features.denseblock2.denselayer1.norm1").eval()
        done.append(step(network, pictures()))
    assert_equal(done[1], done[0], **EXACT)


@pytest.mark.parametrize("mode", LESS)
def test_frozen_weights_get_no_gradient(mode: str) -> None:
    done = []
    for network in (made(), made(mode)):
        network.get_submodule("features.denseblock1").requires_grad_(False)
        network.get_parameter("features.denseblock2.denselayer1.conv1.weight").requires_grad_(False)
        network.get_parameter("features.transition1.norm.weight").requires_grad_(False)
        done.append(step(network, pictures()))
    assert_equal(done[1], done[0], **EXACT)
    assert done[1].gradients["features.denseblock1.denselayer1.conv1.weight"] is None


@pytest.mark.parametrize("mode", LESS)
def test_one_network_twice_in_a_loss_and_backward_twice(mode: str) -> None:
    found = []
    for network in (made(), made(mode)):
        first, second = pictures(), pictures().detach() + 1
        loss = network(first).square().sum() + network(second).sum()
        loss.backward(retain_graph=True)
        loss.backward()
        found.append([first.grad, *[parameter.grad for parameter in network.parameters()], *network.buffers()])
    torch.testing.assert_close(found[1], found[0], **EXACT)


@pytest.mark.parametrize("mode", LESS)
def test_under_autocast(mode: str) -> None:
    """As near to float32 as the plain network is."""
    exact = step(made(), pictures())
    errors = []
    for network in (made(dtype=torch.float32), made(mode, torch.float32)):
        with torch.autocast("cpu", torch.bfloat16):
            done = step(network, pictures(torch.float32))
        pairs = [(done.gradients[name], each) for name, each in exact.gradients.items()]
        assert all(a is not None and a.dtype == torch.float32 for a, _ in pairs)
        errors.append(sum(float((a - b).norm()) for a, b in pairs if a is not None and b is not None))
    assert errors[1] < 1.3 * errors[0]


@pytest.mark.parametrize("stem", STEMS)
def test_every_stem(stem: str) -> None:
    """Of images of another layout in memory than any, too."""
    turned = torch.randn(3, 3, 34, 33, generator=torch.Generator().manual_seed(1), dtype=torch.float64).transpose(2, 3)
    expected = step(made(stem=stem), turned.detach().requires_grad_())
    assert_equal(step(made("shared", stem=stem), turned.detach().requires_grad_()), expected, **EXACT)


@pytest.mark.parametrize("mode", LESS)
@pytest.mark.parametrize("momentum", [0.3, None])
def test_norms_of_another_momentum(mode: str, momentum: float | None) -> None:
    """And ones without running statistics, which take those of the batch always."""
    done = []
    for network in (made(), made(mode)):
        for norm in network.modules():
            if isinstance(norm, nn.BatchNorm2d):
                norm.momentum = momentum
        norm = network.get_submodule("features.denseblock1.denselayer2.norm1")
        norm.running_mean = norm.running_var = None  # type: ignore[assignment]
        step(network.eval(), pictures())
        done.append(step(network.train(), pictures()))
    assert_equal(done[1], done[0], **EXACT)


@pytest.mark.parametrize("mode", LESS)
def test_gradients_in_eval_mode(mode: str) -> None:
    """With dropout off and all statistics the running ones."""
    done = [step(network.eval(), pictures()) for network in (made(drop_rate=0.3), made(mode, drop_rate=0.3))]
    assert_equal(done[1], done[0], **EXACT)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_one_image(layout: torch.memory_format) -> None:
    done = []
    for network in (made(drop_rate=0.3), made("checkpoint", drop_rate=0.3)):
        torch.manual_seed(2)
        image = pictures()[:1].detach().contiguous(memory_format=layout).requires_grad_()
        network(image).square().sum().backward()
        done.append([image.grad, *[each.grad for each in network.parameters()], *network.buffers()])
    torch.testing.assert_close(done[1], done[0], **EXACT)


def test_modules_of_other_kinds_are_refused() -> None:
    network = made("shared")
    layer = network.get_submodule("features.denseblock1.denselayer2")
    layer.relu2 = nn.SiLU()
    with pytest.raises(ConfigError, match=r"'shared': denselayer2.relu2 is to be a ReLU; found SiLU; use 'none'"):
        network(pictures())
    network = made("recompute")
    network.get_submodule("features.transition1").conv = nn.Conv2d(14, 7, 1)
    with pytest.raises(ConfigError, match="'recompute': conv is to be a Conv2d; found one with a bias"):
        network(pictures())


def test_it_can_be_taken_back() -> None:
    network = made("shared")
    names = list(network.state_dict())
    copied = copy.deepcopy(network)
    assert isinstance(copied.features, SharedFeatures)
    set_memory(copied, "none")
    assert type(copied.features) is nn.Sequential
    assert list(copied.state_dict()) == names == list(made().state_dict())
    assert_equal(step(copied, pictures()), step(made(), pictures()), rtol=0, atol=0)


def test_without_gradients_the_plain_modules_compute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densezoo.families.densenet.memory.run_block", None)
    with torch.no_grad():
        assert torch.equal(made("checkpoint")(pictures()), made()(pictures()))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")  # torch's compiler reads it
@pytest.mark.parametrize("mode", LESS)
def test_compiled_the_blocks_stay_as_they_are(mode: str) -> None:
    compiled = cast("nn.Module", torch.compile(made(mode), backend="aot_eager"))
    found = step(compiled, pictures())
    expected = step(made(), pictures())
    gradients = {name.removeprefix("_orig_mod."): each for name, each in found.gradients.items()}
    buffers = {name.removeprefix("_orig_mod."): each for name, each in found.buffers.items()}
    assert_equal(found._replace(gradients=gradients, buffers=buffers), expected, **EXACT)


def test_what_can_t_be_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="memory mode 'share'.*shared"):
        set_memory(made(), "share")
    with pytest.raises(ConfigError, match="densezoo's own DenseNet; found a Flatten"):
        set_memory(nn.Flatten(), "shared")
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        made("shared")(torch.zeros(1, 3, 2, 2, dtype=torch.float64))
    network = nn.SyncBatchNorm.convert_sync_batchnorm(made("shared"))  # type: ignore[no-untyped-call]
    with pytest.raises(ConfigError, match="memory mode 'shared' has no statistics over processes; use 'none'"):
        network(pictures())


def test_the_family_knows_it() -> None:
    family, network = family_of(SMALL), made()
    assert family.memory_modes is MEMORY_MODES
    family.set_memory(network, "recompute")
    assert isinstance(network.features, SharedFeatures)
    assert network.features.mode == "recompute"
