"""A file becomes a network with the file's weights in place of drawn ones, in eval mode."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from densenet_sources import DEEP, SMALL, state_dict

from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, FormatError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet


def saved(path: Path, arch: DenseNetArchitecture) -> Path:
    torch.save(state_dict(arch), path)
    return path


@torch.inference_mode()
def test_the_network_is_the_file_s_and_ready_to_be_run(tmp_path: Path) -> None:
    expected = DenseNet(SMALL).eval()
    expected.load_state_dict(state_dict(SMALL))
    network, report = load_checkpoint(saved(tmp_path / "m.pth", SMALL), SMALL)
    assert report.exact
    assert report.architecture == SMALL
    assert not any(module.training for module in network.modules())
    assert not any(tensor.is_meta for tensor in network.state_dict().values())
    assert all(parameter.requires_grad for parameter in network.parameters())
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(images), expected(images))


def test_no_weight_is_drawn_that_the_file_replaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "m.pth", SMALL)
    state = torch.get_rng_state()
    load_checkpoint(str(path))
    assert torch.equal(torch.get_rng_state(), state)


def test_options_and_the_expected_architecture_reach_the_converter(tmp_path: Path) -> None:
    path = saved(tmp_path / "m.pth", DEEP)
    _, report = load_checkpoint(path, aa_layer="blurpool", bn_eps=1e-4)
    assert (report.architecture.family, vars(report.architecture)["aa_layer"]) == ("densenet", "blurpool")
    with pytest.raises(CheckpointError, match="growth_rate is 8, expected 32"):
        load_checkpoint(path, DenseNetArchitecture(stem="deep"))
    with pytest.raises(FormatError, match="there is no such checkpoint file"):
        load_checkpoint(tmp_path / "none.pth")
