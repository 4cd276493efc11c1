from __future__ import annotations

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor

from densezoo.backends.eager import EagerBackend
from densezoo.data.preprocess import normalise
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol


def test_logits_are_the_network_s_on_normalised_pixels() -> None:
    arch = DenseNetArchitecture(8, (2, 2), 16, num_classes=6)
    model = DenseNet(arch)
    randomise_statistics(model)
    pixels = torch.randint(0, 256, (3, 3, 40, 40), dtype=torch.uint8)
    protocol = get_protocol("torchvision")
    with torch.inference_mode():
        expected = model(normalise(pixels, protocol))
    logits = EagerBackend(model, arch, protocol, "cpu")(pixels)
    assert logits.dtype == torch.float32
    assert not logits.requires_grad
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-5)


def test_a_training_network_is_evaluated_in_eval_mode() -> None:
    arch = DenseNetArchitecture(8, (1, 1), 16, drop_rate=0.5, num_classes=6)
    model = DenseNet(arch).train()
    pixels = torch.randint(0, 256, (2, 3, 40, 40), dtype=torch.uint8)
    backend = EagerBackend(model, arch, get_protocol("torchvision"), "cpu")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert torch.equal(backend(pixels), backend(pixels))
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("side", [32, 300])
def test_a_batch_is_computed_in_groups(side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    arch = DenseNetArchitecture(4, (1, 1), 8, num_classes=6)
    network, protocol = DenseNet(arch), get_protocol("torchvision")
    backend = EagerBackend(network, arch, protocol, "cpu")
    pixels = torch.randint(0, 256, (7, 3, side, side), dtype=torch.uint8)
    with torch.inference_mode():
        expected = network(normalise(pixels, protocol))
    sizes, logits = [], backend.logits

    def counted(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return logits(x)

    monkeypatch.setattr(backend, "logits", counted)
    torch.testing.assert_close(backend(pixels), expected, rtol=1e-4, atol=1e-5)
    assert sizes == {32: [7], 300: [2, 2, 2, 1]}[side]


def test_the_network_can_be_trained_after_it() -> None:
    """Its weights are no tensors of inference mode, as a measurement between epochs would leave them."""
    arch = DenseNetArchitecture(4, (1, 1), 8, num_classes=6)
    network = DenseNet(arch)
    EagerBackend(network, arch, get_protocol("torchvision"), "cpu")(torch.zeros((1, 3, 32, 32), dtype=torch.uint8))
    network.train()(torch.randn(2, 3, 32, 32)).sum().backward()
