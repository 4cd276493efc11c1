from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from timm.models import adapt_input_conv

from densezoo import api
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, ConfigError
from densezoo.families import architecture_values
from densezoo.formats.safetensors import write_safetensors
from densezoo.paths import ROOT
from densezoo.training.start import fitted_channels, start_network, weights_file
from densezoo.types import Architecture, Start

SHIPPED = api.DEMO[1]


@pytest.fixture(scope="module")
def shipped() -> tuple[dict[str, torch.Tensor], Any]:
    network, report = load_checkpoint(SHIPPED)
    return network.state_dict(), report.architecture


def started(arch: Architecture, **fields: Any) -> tuple[dict[str, torch.Tensor], str]:
    torch.manual_seed(0)
    start = start_network(Start(str(SHIPPED), **fields), arch)
    return start.network.state_dict(), "\n".join(start.said)


def test_all_weights_are_the_file_s(shipped: tuple[dict[str, torch.Tensor], Any]) -> None:
    weights, arch = shipped
    start = start_network(Start("densenet_bc_22_8.densezoo_digits"), arch)
    found = start.network.state_dict()
    assert found.keys() == weights.keys()
    assert all(tensor.equal(weights[name]) for name, tensor in found.items())
    assert start.architecture == arch
    assert start.facts["model"] == "densenet_bc_22_8.densezoo_digits"
    assert "classifier: that of the weights, which have 10 classes, too" in start.said
    assert "protocol: the weights are meant for digits" in start.said


def test_another_number_of_classes(shipped: tuple[dict[str, torch.Tensor], Any]) -> None:
    """The classifier is drawn anew, and said to be; everything else, dropout apart, is the file's."""
    weights, arch = shipped
    asked = dataclasses.replace(arch, num_classes=3, drop_rate=0.25)
    found, said = started(asked)
    changed = {
        name for name in found if found[name].shape != weights[name].shape or not found[name].equal(weights[name])
    }
    assert changed == {"classifier.weight", "classifier.bias"}
    assert found["classifier.weight"].shape[0] == 3
    assert "classifier: drawn anew for 3 classes, the weights have 10" in said
    assert start_network(Start(str(SHIPPED)), asked).architecture == asked
    assert started(asked)[0]["classifier.weight"].equal(found["classifier.weight"])  # by torch's generator


def test_other_channels_when_asked_for(shipped: tuple[dict[str, torch.Tensor], Any]) -> None:
    weights, arch = shipped
    asked = dataclasses.replace(arch, in_chans=3)
    with pytest.raises(ConfigError, match="in_chans is 3, and the weights take 1 channels; give train.start.adapt_in"):
        started(asked)
    found, said = started(asked, adapt_in_chans=True)
    assert found["features.conv0.weight"].shape[1] == 3
    assert torch.allclose(found["features.conv0.weight"].sum(1), weights["features.conv0.weight"][:, 0])
    assert "first convolution: its weight repeated and scaled over the channels, 1 to 3" in said


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 6])
def test_channels_are_fitted_as_timm_fits_them(channels: int) -> None:
    weight = torch.randn(2, 3, 3, 3)
    expected = adapt_input_conv(channels, weight)
    torch.testing.assert_close(fitted_channels(weight, channels), expected)
    images = torch.randn(1, 1, 5, 5).expand(-1, 3, -1, -1)
    if channels in (1, 3, 6):  # an image with one value in all channels gives what it gave before
        other = torch.nn.functional.conv2d(
            images[:, :1].expand(-1, channels, -1, -1), fitted_channels(weight, channels)
        )
        torch.testing.assert_close(other, torch.nn.functional.conv2d(images, weight), rtol=1e-4, atol=1e-5)


def test_another_network_is_refused(shipped: tuple[dict[str, torch.Tensor], Any]) -> None:
    with pytest.raises(CheckpointError, match="growth_rate"):
        started(dataclasses.replace(shipped[1], growth_rate=12))


def test_what_the_file_alone_says_is_taken(tmp_path: Path, shipped: tuple[dict[str, torch.Tensor], Any]) -> None:
    """An epsilon is in no tensor: the config's default gives way to it, and another one is refused."""
    weights, arch = shipped
    stated = dataclasses.replace(arch, bn_eps=1e-3)
    write_safetensors(tmp_path / "other.safetensors", weights, {"architecture": architecture_values(stated)})
    start = Start(str(tmp_path / "other.safetensors"))
    begun = start_network(start, arch)
    assert begun.architecture.bn_eps == 1e-3  # type: ignore[attr-defined]
    assert {module.eps for module in begun.network.modules() if isinstance(module, torch.nn.BatchNorm2d)} == {1e-3}
    with pytest.raises(CheckpointError, match="bn_eps"):
        start_network(start, dataclasses.replace(arch, bn_eps=1e-4))


def test_a_file_of_the_current_folder_comes_before_densezoo_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert weights_file("README.md") == ROOT / "README.md"
    (tmp_path / "README.md").touch()
    assert weights_file("README.md").resolve() == tmp_path / "README.md"


def test_weights_that_don_t_exist() -> None:
    with pytest.raises(ConfigError, match="no file 'densenet121.tv_in1', and there is no model.*densenet121.tv"):
        weights_file("densenet121.tv_in1")
