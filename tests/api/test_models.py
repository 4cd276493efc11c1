from __future__ import annotations

from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import nn

import densezoo
from densezoo import api
from densezoo.api import models
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.features import FeatureMaps
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.safetensors import write_safetensors


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """The network whose weights a download gives for any name."""
    network = randomise_statistics(densezoo.create_model("densenet121.tv_in1k"))
    write_safetensors(tmp_path / "weights.safetensors", network.state_dict(), {})
    monkeypatch.setattr(models, "fetch_weights", lambda name: tmp_path / "weights.safetensors")
    return network


DIGITS = densezoo.get_spec("densenet_bc_22_8.densezoo_digits").architecture
IMAGES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("builder", ["densezoo", "timm", "torchvision"])
@torch.inference_mode()
def test_pretrained_is_the_same_function_by_every_builder(builder: str, weights: nn.Module) -> None:
    model = densezoo.create_model("tv_densenet121", builder=builder, pretrained=True).eval()
    assert torch.equal(model(IMAGES), weights(IMAGES))


@torch.inference_mode()
def test_pretrained_with_other_classes_keeps_the_features(weights: nn.Module) -> None:
    model = densezoo.create_model("densenet121.tv_in1k", pretrained=True, num_classes=5).eval()
    assert model(IMAGES).shape == (1, 5)
    assert torch.equal(model.features(IMAGES), weights.features(IMAGES))  # type: ignore[operator]
    maps = densezoo.create_model("densenet121.tv_in1k", pretrained=True, features_only=True).eval()
    assert isinstance(maps, FeatureMaps)
    assert torch.equal(maps(IMAGES)[-1], weights.features(IMAGES).relu())  # type: ignore[operator]


def test_fresh_networks_of_other_sizes() -> None:
    model = densezoo.create_model("densenet_bc_100_12", num_classes=3, in_chans=1)
    assert model(torch.zeros(1, 1, 32, 32)).shape == (1, 3)
    assert densezoo.create_model(DIGITS, num_classes=4, in_chans=3)(IMAGES).shape == (1, 4)


def test_names_of_architectures() -> None:
    model = densezoo.create_model("densenet_40_12")
    assert isinstance(model, DenseNet)
    assert model.arch == densezoo.get_spec("densenet_40_12.lua_cifar10").architecture
    with pytest.raises(UnknownNameError, match="there is no model 'densnet121'; did you mean 'densenet121'"):
        densezoo.create_model("densnet121")


def test_weights_that_don_t_fit(weights: nn.Module) -> None:
    with pytest.raises(ConfigError, match="no weights for densenet121.tv_in1k with 1 channels; .*in_chans 3"):
        densezoo.create_model("densenet121.tv_in1k", pretrained=True, in_chans=1)
    with pytest.raises(ConfigError, match="no weights for an Architecture; expected a name of the index"):
        densezoo.create_model(DIGITS, pretrained=True)


def test_weights_are_drawn_as_they_always_were() -> None:
    """torch's own draw of every layer in the order in which it is made, then He's for convolutions."""
    torch.manual_seed(0)
    drawn = api.create_model(DenseNetArchitecture(4, (1,), 8, num_classes=3))
    torch.manual_seed(0)
    by_torch = DenseNet(DenseNetArchitecture(4, (1,), 8, num_classes=3), draw_weights=False)
    for module in by_torch.modules():
        if isinstance(module, torch.nn.Conv2d):
            torch.nn.init.kaiming_normal_(module.weight)
    torch.nn.init.zeros_(by_torch.classifier.bias)
    assert all(torch.equal(tensor, by_torch.state_dict()[name]) for name, tensor in drawn.state_dict().items())


@torch.inference_mode()
def test_create_model_takes_the_published_weights() -> None:
    model = densezoo.create_model("densenet_bc_22_8.densezoo_digits", pretrained=True).eval()
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(model(image), densezoo.load_checkpoint(api.DEMO[1])[0](image))
