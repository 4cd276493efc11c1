"""The network against torchvision's and timm's own: the same weights have to give the same bits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from densenet_sources import as_densenet
from examples import randomise_statistics
from timm.layers.blur_pool import BlurPool2d
from torch.nn import functional

from densezoo.config import load_config
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import BlurPool, DenseNet

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
INPUT = (2, 3, 65, 64)  # small for the tests' sake, odd because pooling rounds


def assert_same_bits(theirs: torch.nn.Module, arch: DenseNetArchitecture) -> None:
    randomise_statistics(theirs)
    ours = DenseNet(arch)
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(INPUT, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = theirs(images)
        assert expected.std() > 1e-3
        assert torch.equal(ours.eval()(images), expected)


@pytest.mark.parametrize(
    "name", ["densenet121", "densenet161", pytest.param("densenet169", marks=pytest.mark.slow), "densenet201"]
)
def test_bit_identical_to_torchvision(name: str) -> None:
    assert_same_bits(torchvision.models.get_model(name), as_densenet(load_config(CONFIGS / f"{name}.py").model))


@pytest.mark.parametrize(
    "name",
    [
        *("densenet121", "densenet169", "densenetblur121d"),
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("densenet161", "densenet201")),
    ],
)
def test_bit_identical_to_timm(name: str) -> None:
    assert_same_bits(timm.create_model(name), as_densenet(load_config(CONFIGS / f"{name}.py").model))


def test_bit_identical_to_timm_264d_in_small() -> None:
    """densenet264d itself takes seconds; its stem with two short blocks has every kind of layer in it."""
    theirs = timm.models.densenet.DenseNet(growth_rate=48, block_config=(2, 1), stem_type="deep")
    assert_same_bits(theirs, DenseNetArchitecture(48, (2, 1), 96, stem="deep"))


def test_bit_identical_to_timm_with_blur_everywhere() -> None:
    theirs = timm.models.densenet.DenseNet(
        growth_rate=8, block_config=(2, 2), stem_type="deep", aa_layer=BlurPool2d, aa_stem_only=False
    )
    assert_same_bits(theirs, DenseNetArchitecture(8, (2, 2), 16, stem="deep", aa_layer="blurpool", aa_stem_only=False))


@pytest.mark.parametrize(
    "name",
    [
        "densenet264d",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("densenet264", "densenet232_k48", "densenet264_k48")),
    ],
)
def test_the_giants_have_the_right_shapes(name: str) -> None:
    with torch.device("meta"):
        model = DenseNet(as_densenet(load_config(CONFIGS / f"{name}.py").model)).eval()
        assert model(torch.empty(1, 3, 224, 224)).shape == (1, 1000)
        assert model.features(torch.empty(1, 3, 224, 224)).shape[-2:] == (7, 7)


def test_blur_by_hand() -> None:
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    # reflected corner: rows 1 0 1, columns 1 0 1 around pixel (0, 0), weights 1 2 1 / 4
    corner = (1 * (4 + 2 * 3 + 4) + 2 * (1 + 2 * 0 + 1) + 1 * (4 + 2 * 3 + 4)) / 16
    blurred = BlurPool(1)(image)
    assert blurred.shape == (1, 1, 2, 2)
    assert blurred[0, 0, 0, 0].item() == corner


def test_a_cifar_network_by_its_definition() -> None:
    """One plain dense layer, written out with functional operations."""
    arch = DenseNetArchitecture(2, (1,), 4, bn_size=None, reduction=1.0, stem="cifar", num_classes=5)
    model = DenseNet(arch)
    randomise_statistics(model)
    weights = model.state_dict()

    def norm(x: torch.Tensor, name: str) -> torch.Tensor:
        mean, var, weight, bias = (weights[f"{name}.{k}"] for k in ("running_mean", "running_var", "weight", "bias"))
        return functional.relu(functional.batch_norm(x, mean, var, weight, bias, eps=1e-5))

    images = torch.randn(2, 3, 8, 8)
    stem = functional.conv2d(images, weights["features.conv0.weight"], padding=1)
    layer = "features.denseblock1.denselayer1"
    new = functional.conv2d(norm(stem, f"{layer}.norm1"), weights[f"{layer}.conv1.weight"], padding=1)
    pooled = norm(torch.cat([stem, new], 1), "features.norm5").mean((2, 3))
    expected = functional.linear(pooled, weights["classifier.weight"], weights["classifier.bias"])
    torch.testing.assert_close(model(images), expected)


def test_dropout_acts_in_training_only() -> None:
    arch = DenseNetArchitecture(8, (2, 2), 16, stem="cifar", drop_rate=0.5, num_classes=3)
    model = DenseNet(arch)
    images = torch.randn(2, 3, 8, 8)
    model.eval()
    assert torch.equal(model(images), model(images))
    model.train()
    assert not torch.equal(model(images), model(images))


def test_features_and_head_as_timm_has_them() -> None:
    """Of the same weights: the last map, its pooled form without a classifier, and a network of other classes."""
    theirs: Any = timm.models.densenet.DenseNet(growth_rate=4, block_config=(1, 2)).eval()
    ours = DenseNet(DenseNetArchitecture(4, (1, 2), 8)).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(INPUT, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert ours.num_features == theirs.num_features
        assert torch.equal(ours.forward_features(images), theirs.forward_features(images))
        assert torch.equal(ours.forward_head(ours.forward_features(images)), theirs(images))
        for network in (ours, theirs):
            network.reset_classifier(0)
        assert torch.equal(ours(images), theirs(images))
        ours.reset_classifier(7)
        assert ours(images).shape == (2, 7)
    assert ours.arch.num_classes == 7
    assert ours.classifier.bias.eq(0).all()
    assert ours.state_dict().keys() == DenseNet(DenseNetArchitecture(4, (1, 2), 8)).state_dict().keys()
