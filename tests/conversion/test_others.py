"""Files of other networks are named for what they are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import nn

import densezoo
from densezoo.errors import CheckpointError

SMALL = {"growth_rate": 8, "block_config": (2, 3), "num_init_features": 16, "num_classes": 5}


def features(prefix: str) -> dict[str, torch.Tensor]:
    """A DenseNet's without its classifier."""
    named = torchvision.models.DenseNet(**SMALL).features.state_dict()
    return {prefix + name: tensor for name, tensor in named.items()}


def volumes() -> dict[str, torch.Tensor]:
    """A DenseNet's with the kernels that MONAI gives one of three dimensions."""
    named = torchvision.models.DenseNet(**SMALL).state_dict()
    return {name: tensor.unsqueeze(2) if tensor.ndim == 4 else tensor for name, tensor in named.items()}


def empty(make: Callable[[], nn.Module]) -> dict[str, torch.Tensor]:
    """A network's tensors, each of the right shape and of zeros of one byte."""
    with torch.device("meta"):
        named = make().state_dict()
    return {name: torch.zeros(tensor.shape, dtype=torch.uint8) for name, tensor in named.items()}


NETWORKS: dict[str, tuple[Callable[[], dict[str, torch.Tensor]], str]] = {
    "vovnet": (lambda: empty(lambda: timm.create_model("ese_vovnet19b_dw")), "this is a VoVNet"),
    "resnet": (lambda: empty(lambda: timm.create_model("resnet18")), "this is a ResNet"),
    "vit": (lambda: empty(lambda: timm.create_model("vit_tiny_patch16_224")), r"this is a vision transformer \(ViT\)"),
    "3-D ResNet": (lambda: empty(torchvision.models.video.r3d_18), "over three dimensions .* kernel stem.0.weight has"),
    "3-D DenseNet": (volumes, r"over three dimensions .* features.conv0.weight has the shape \(16, 3, 1, 7, 7\)"),
    "features": (lambda: features("features."), "these are a DenseNet's features without their classifier"),
    "features alone": (lambda: features(""), "this is a DenseNet's features without their classifier"),
    "TIAToolbox": (
        lambda: {**features("feat_extract."), "classifier.weight": torch.ones(5, 28)},
        "one of TIAToolbox's DenseNets, which have no ReLU after their last norm",
    ),
    "numbered modules": (
        lambda: {"0.weight": torch.ones(8, 3, 7, 7), "4.0.1.0.running_mean": torch.ones(8)},
        r"a network of numbered modules, as a nested nn.Sequential made of a Torch7 file has \(that file",
    ),
    "an encoder": (lambda: features("encoder."), "this is a DenseNet's features without their classifier"),
}


@pytest.mark.parametrize("network", NETWORKS)
def test_another_network_is_named(tmp_path: Path, network: str) -> None:
    make, message = NETWORKS[network]
    torch.save(make(), tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=message) as caught:
        densezoo.load_checkpoint(tmp_path / "m.pth")
    assert "under any naming" not in str(caught.value)


def test_a_control_the_whole_network_loads(tmp_path: Path) -> None:
    torch.save(torchvision.models.DenseNet(**SMALL).state_dict(), tmp_path / "m.pth")
    assert densezoo.load_checkpoint(tmp_path / "m.pth")[1].exact
