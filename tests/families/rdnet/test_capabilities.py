"""What other systems can express of an RDNet, and the network that timm builds."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from densezoo.families import build_model
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.capabilities import SYSTEMS
from densezoo.families.rdnet.network import RDNet
from densezoo.types import NamedNetwork

SMALL = RDNetArchitecture((8, 16, 24), (2, 1, 3), 16, downsample=(2,), attention=(1,), num_classes=5)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"head_norm_eps": 1e-5},
        {"expansion": 2.0, "reduction": 1.0, "patch_size": 2, "in_chans": 1},
        {"downsample": (), "attention": (0, 1, 2)},
    ],
)
@torch.inference_mode()
def test_timm_builds_the_same_function(changes: dict[str, Any]) -> None:
    arch = dataclasses.replace(SMALL, **changes)
    ours, theirs = build_model(arch).eval(), build_model(arch, "timm").eval()
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter.uniform_(-0.5, 0.5, generator=torch.Generator().manual_seed(parameter.numel()))
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(1, arch.in_chans, 32, 48, generator=torch.Generator().manual_seed(0))
    assert type(theirs) is not type(ours)
    assert torch.equal(theirs(images), ours(images))


@pytest.mark.parametrize(
    ("system", "changes", "built", "stored"),
    [
        ("timm", {}, [], []),
        ("timm", {"norm_eps": 1e-5}, ["norm_eps=1e-05"], ["norm_eps 1e-05"]),
        ("timm", {"head_norm_eps": 1e-5}, [], ["head_norm_eps 1e-05"]),
        ("naver", {}, [], ["head_norm_eps 1e-06"]),
        ("naver", {"head_norm_eps": 1e-5}, [], []),
        ("densezoo", {"norm_eps": 0.1, "head_norm_eps": 0.2}, [], []),
    ],
)
def test_epsilons_that_a_system_can_t_have(
    system: str, changes: dict[str, Any], built: list[str], stored: list[str]
) -> None:
    arch = dataclasses.replace(SMALL, **changes)
    assert (SYSTEMS[system].cannot_build(arch), SYSTEMS[system].cannot_store(arch)) == (built, stored)


class File:
    """A file of SMALL's weights."""

    path = Path("m.pth")

    def tensors(self) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        return dict(RDNet(SMALL).state_dict())

    def described(self) -> tuple[NamedNetwork, ...]:
        return ()


@torch.inference_mode()
def test_timm_runs_a_file_of_its_own_epsilon_alone() -> None:
    run, images = SYSTEMS["timm"].run, torch.randn(1, 3, 32, 32)
    assert run is not None
    network = RDNet(SMALL).eval()
    network.load_state_dict(File().tensors())
    assert torch.equal(run(File(), SMALL, images), network(images))
    with pytest.raises(ValueError, match="its head's norm has an epsilon of 1e-06; this network's has 1e-05"):
        run(File(), dataclasses.replace(SMALL, head_norm_eps=1e-5), images)
