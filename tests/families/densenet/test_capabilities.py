from __future__ import annotations

import dataclasses
import warnings

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.capabilities import SYSTEMS

SMALL = DenseNetArchitecture(growth_rate=8, num_init_features=16, block_config=(2, 3, 2, 2), num_classes=7, bn_eps=1e-3)
DEEP = dataclasses.replace(SMALL, stem="deep")
BLUR = dataclasses.replace(DEEP, aa_layer="blurpool")
CASES = [
    ("timm", SMALL),
    ("timm", DEEP),
    ("timm", BLUR),
    ("timm", dataclasses.replace(BLUR, aa_stem_only=False)),
    ("timm", dataclasses.replace(SMALL, in_chans=1)),
    ("torchvision", SMALL),
    ("torchvision", dataclasses.replace(SMALL, num_init_features=24)),
]


def images(arch: DenseNetArchitecture) -> Tensor:
    return torch.randn(2, arch.in_chans, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("builder", "arch"), CASES)
@torch.inference_mode()
def test_every_builder_gives_the_same_function(builder: str, arch: DenseNetArchitecture) -> None:
    ours = randomise_statistics(build_model(arch))
    theirs = build_model(arch, builder).eval()
    theirs.load_state_dict(ours.state_dict())
    assert torch.equal(theirs(images(arch)), ours(images(arch)))
    assert type(theirs) is not type(ours)


@pytest.mark.parametrize(
    ("builder", "changes", "message"),
    [
        ("timm", {"stem": "cifar"}, "stem='cifar'"),
        ("timm", {"num_init_features": 24}, "num_init_features other than 2 x growth_rate"),
        ("timm", {"bn_size": None}, "layers without bottleneck"),
        ("timm", {"drop_rate": 0.2}, "drop_rate=0.2"),
        ("timm", {"reduction": 0.6}, "reduction=0.6"),
        ("torchvision", {"stem": "deep"}, "stem='deep'"),
        ("torchvision", {"in_chans": 1}, "in_chans=1"),
        ("torchvision", {"aa_layer": "blurpool"}, "aa_layer='blurpool'"),
    ],
)
def test_what_a_builder_can_t_express_is_an_error(builder: str, changes: dict[str, object], message: str) -> None:
    arch = dataclasses.replace(SMALL, **changes)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=f"builder '{builder}' can't express {message}; use builder 'densezoo'"):
        build_model(arch, builder)
    assert isinstance(build_model(arch), nn.Module)


def test_an_unknown_builder_suggests() -> None:
    with pytest.raises(UnknownNameError, match="there is no builder 'tim'; did you mean 'timm'"):
        build_model(SMALL, "tim")
    assert {name for name, system in SYSTEMS.items() if system.build} == {"densezoo", "timm", "torchvision"}


def test_importing_the_builders_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        build_model(SMALL, "torchvision")
