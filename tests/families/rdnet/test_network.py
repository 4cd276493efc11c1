"""RDNet against timm's, with the same random weights; its figures; its feature maps."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

import pytest
import timm
import torch

import densezoo
from densezoo.config import load_config
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import layers
from densezoo.families.rdnet.network import ChannelNorm, DenseLayer, RDNet

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
SMALL = RDNetArchitecture((8, 16, 8), (2, 1, 3), 16, downsample=(2,), attention=(1, 2), num_classes=5)
PARAMETERS = {"tiny": 23_863_008, "small": 50_436_448, "base": 87_451_096, "large": 186_269_632}
N = TypeVar("N", bound=torch.nn.Module)
SIZES = pytest.mark.parametrize(
    "size", ["tiny", *(pytest.param(s, marks=pytest.mark.slow) for s in list(PARAMETERS)[1:])]
)


def config(size: str) -> Any:
    return load_config(CONFIGS / f"rdnet_{size}.py", {"model.head_norm_eps": 1e-6}).model


def randomised(network: N) -> N:
    """Weights, gains and norms that all do something; in eval mode."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim > 1:
                parameter.normal_(std=0.05, generator=generator)
            else:
                parameter.uniform_(0.2, 1.0, generator=generator)
    network.eval()
    return network


@SIZES
@torch.inference_mode()
def test_outputs_and_names_are_timm_s(size: str) -> None:
    theirs = randomised(timm.create_model(f"rdnet_{size}"))
    with torch.device("meta"):
        ours = RDNet(config(size), draw_weights=False)
    ours.load_state_dict(theirs.state_dict(), assign=True)
    assert sum(parameter.numel() for parameter in ours.parameters()) == PARAMETERS[size]
    images = torch.randn(1, 3, 96, 160, generator=torch.Generator().manual_seed(1))
    assert torch.equal(ours.eval()(images), theirs(images))


@pytest.mark.parametrize("eps", [1e-6, 1e-5])
def test_the_head_s_epsilon_is_seen(eps: float) -> None:
    arch = RDNetArchitecture(**{**vars(SMALL), "head_norm_eps": eps})
    network = randomised(RDNet(arch))
    with torch.no_grad():
        for parameter in network.stem.parameters():
            parameter.mul_(1e-3)  # small features, so that an epsilon weighs
    stem_norm = network.stem[1]
    assert isinstance(stem_norm, ChannelNorm)
    assert (network.head.norm.eps, stem_norm.eps) == (eps, 1e-6)


def test_drawn_weights_begin_with_almost_no_layer() -> None:
    network = RDNet(SMALL)
    gains = [parameter for name, parameter in network.named_parameters() if name.endswith("gamma")]
    assert all(gain.eq(1e-6).all() for gain in gains)
    assert len(gains) == 6
    assert network.head.fc.bias.eq(0).all()


def test_stochastic_depth_is_for_training_alone() -> None:
    arch = RDNetArchitecture(**{**vars(SMALL), "drop_path_rate": 0.9})
    network = randomised(RDNet(arch))
    images = torch.randn(4, 3, 32, 32)
    with torch.inference_mode():
        assert torch.equal(network(images), network(images))
        network.train()
        assert not torch.equal(network(images), network(images))
    rates = [module.drop_path_rate for module in network.modules() if isinstance(module, DenseLayer)]
    assert rates == [0.0, 0.0, 0.45, 0.9, 0.9, 0.9]


def test_another_classifier_and_other_channels() -> None:
    model = densezoo.create_model("rdnet_tiny.nv_in1k", num_classes=7, in_chans=1)
    with torch.inference_mode():
        assert model(torch.zeros(1, 1, 64, 64)).shape == (1, 7)


def test_groups_and_channels_of_layers() -> None:
    depthwise = next(layer for layer in layers(SMALL) if layer.role == "layer.depthwise")
    assert (depthwise.in_channels, depthwise.out_channels, depthwise.kernel_size, depthwise.groups) == (16, 16, 7, 16)


@torch.inference_mode()
def test_features_and_head_as_timm_has_them() -> None:
    """Of the same weights: the last map, its pooled form without a classifier, and a network of other classes."""
    make: Any = timm.models.rdnet.RDNet
    blocks = {"is_downsample_block": (None, True), "block_type": ("Block", "BlockESE"), "num_blocks_list": (1, 1)}
    theirs = randomised(make(growth_rates=(8, 8), num_init_features=16, num_classes=5, **blocks))
    ours = RDNet(RDNetArchitecture((8, 8), (1, 1), 16, downsample=(1,), attention=(1,), num_classes=5)).eval()
    ours.load_state_dict(theirs.state_dict())
    images = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    assert ours.num_features == theirs.num_features
    assert torch.equal(ours.forward_features(images), theirs.forward_features(images))
    assert torch.equal(ours.forward_head(ours.forward_features(images)), theirs(images))
    ours.reset_classifier(0)
    theirs.reset_classifier(0)
    assert torch.equal(ours(images), theirs(images))
    ours.reset_classifier(7)
    assert ours(images).shape == (1, 7)
    assert ours.arch.num_classes == 7
