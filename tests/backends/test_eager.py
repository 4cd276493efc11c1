from __future__ import annotations

import torch
from examples import randomise_statistics

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
