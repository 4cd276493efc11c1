"""What timm says of an RDNet beside its tensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import pytest
import torch

import densezoo
from densezoo.config import load_config
from densezoo.errors import CheckpointError
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.network import RDNet
from densezoo.families.rdnet.timm import NETWORKS, named_networks
from densezoo.paths import ROOT
from densezoo.types import Checkpoint, Description, NamedNetwork

SMALL = RDNetArchitecture((8, 16, 24), (2, 1, 3), 16, downsample=(2,), attention=(1,), in_chans=2, num_classes=5)


def weights(arch: RDNetArchitecture = SMALL) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(tensor.shape, generator=generator) - 0.4 for name, tensor in RDNet(arch).state_dict().items()
    }


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        ({"architecture": "densenet121"}, "says that the network is densenet121, none of timm's RDNets"),
        ({"architecture": "rdnet_tiny"}, r"says that the network is timm's rdnet_tiny, growth_rates \(64, 104"),
        ({"architecture": "rdnet_tiny", "model_args": {"act_layer": "relu"}}, "has model_args {'act_layer': 'relu'}"),
    ],
)
def test_a_config_that_the_tensors_disprove(tmp_path: Path, facts: dict[str, object], message: str) -> None:
    torch.save(weights(), tmp_path / "pytorch_model.bin")
    (tmp_path / "config.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match=message):
        densezoo.load_checkpoint(tmp_path / "pytorch_model.bin")


@pytest.mark.parametrize("name", NETWORKS)
def test_timm_s_names_are_the_configs(name: str) -> None:
    arch = load_config(ROOT / f"configs/{name}.py").model
    assert all(getattr(arch, field) == value for field, value in NETWORKS[name].items())


def networks(kind: Literal["config", "arguments"], **facts: object) -> tuple[NamedNetwork, ...]:
    description = Description("config.json", kind, facts)
    return named_networks(Checkpoint("m.pth", "pytorch", {}, descriptions=(description,)))


@pytest.mark.parametrize("stated", ["rdnet_tiny", "hf_hub:naver-ai/rdnet_tiny.nv_in1k", "RDNet_Tiny"])
def test_names_in_every_spelling_name_the_network(stated: str) -> None:
    (network,) = networks("config", architecture=stated, num_classes=7, model_args={"in_chans": 1})
    assert (network.name, network.arguments) == ("rdnet_tiny", {"in_chans": 1})
    assert network.fields == {**NETWORKS["rdnet_tiny"], "in_chans": 1, "num_classes": 7}


def test_arguments_of_a_training_run_are_timm_s_by_one_that_only_it_has() -> None:
    assert networks("arguments", model="rdnet_tiny") == ()
    (network,) = networks("arguments", model="rdnet_tiny", gp=None, num_classes=3, model_kwargs={"num_classes": 5})
    assert network.fields is not None
    assert network.fields["num_classes"] == 5  # the function's own argument comes first


def test_another_network_of_timm_s_is_named_and_a_user_s_own_claims_nothing() -> None:
    assert [network.fields for network in networks("config", architecture="resnet18")] == [None]
    assert networks("config", architecture="my_network") == networks("config") == ()


def test_arguments_that_make_another_function_are_refused() -> None:
    with pytest.raises(
        CheckpointError, match="densezoo's RDNet takes in_chans, num_classes, drop_rate, drop_path_rate;"
    ):
        networks("config", architecture="rdnet_small", model_args={"ls_init_value": None})
    with pytest.raises(CheckpointError, match=r"config.json: says that the network has model_args \[1\]"):
        networks("config", architecture="rdnet_small", model_args=[1])
