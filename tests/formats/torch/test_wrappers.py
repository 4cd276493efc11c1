"""What training libraries put around a network: taken off, and said."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import CheckpointError

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class InputNormalize(nn.Module):
    """robustness/tools/helpers.py."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("new_mean", MEAN[..., None, None])
        self.register_buffer("new_std", STD[..., None, None])

    def forward(self, x: Tensor) -> Tensor:
        return (x.clamp(0, 1) - self.new_mean) / self.new_std  # type: ignore[operator]


class Attacker(nn.Module):
    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.normalize, self.model = InputNormalize(), model


class AttackerModel(nn.Module):
    """robustness/attacker.py, as microsoft/robust-models-transfer saves it."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.normalizer, self.model, self.attacker = InputNormalize(), model, Attacker(model)

    def forward(self, x: Tensor) -> Tensor:
        return self.model(self.normalizer(x))  # type: ignore[no-any-return]


@pytest.fixture
def wrapped() -> AttackerModel:
    torch.manual_seed(0)
    network = DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=5)
    return AttackerModel(randomise_statistics(network)).eval()


def saved(path: Path, state: dict[str, Tensor]) -> Path:
    content = {"model": {f"module.{name}": tensor for name, tensor in state.items()}, "epoch": 90}
    torch.save(content, path)
    return path


def test_robustness_s_network_is_found_among_its_copies(tmp_path: Path, wrapped: AttackerModel) -> None:
    model, report = densezoo.load_checkpoint(saved(tmp_path / "densenet_l2_eps3.ckpt", dict(wrapped.state_dict())))
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        theirs, ours = wrapped(images), model.eval()((images - MEAN[:, None, None]) / STD[:, None, None])
    assert torch.allclose(ours, theirs, atol=1e-6)
    copies = len(wrapped.model.state_dict()) + 2
    assert report.dropped == {"attacker's copy": copies, "normaliser": 2}
    assert any("by mean 0.4850, 0.4560, 0.4060 and std 0.2290" in hint for hint in report.hints)


def test_a_copy_that_differs_is_not_dropped(tmp_path: Path, wrapped: AttackerModel) -> None:
    state = dict(wrapped.state_dict())
    state["attacker.model.classifier.bias"] = state["attacker.model.classifier.bias"] + 1
    with pytest.raises(CheckpointError, match=r"unexpected \(1\): module.attacker.model.classifier.bias"):
        densezoo.load_checkpoint(saved(tmp_path / "m.ckpt", state))


def test_an_attacker_without_a_normaliser_is_not_taken_off(tmp_path: Path, wrapped: AttackerModel) -> None:
    state = {name: tensor for name, tensor in wrapped.state_dict().items() if not name.startswith("normalizer")}
    with pytest.raises(CheckpointError, match=r"unexpected \("):
        densezoo.load_checkpoint(saved(tmp_path / "m.ckpt", state))
