"""The key tables, held to the networks of the packages that publish files under these names."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from pytorchcv.model_provider import get_model
from torch import nn

import densezoo
from densezoo.config import load_config

CONFIGS = Path(__file__).resolve().parents[3] / "configs"

#: {pytorchcv's name of every network that it publishes weights of: the config of its architecture}.
PYTORCHCV = {
    "densenet121": "densenet121",
    "densenet161": "densenet161",
    "densenet169": "densenet169",
    "densenet201": "densenet201",
    "densenet40_k12_cifar10": "cifar/densenet_c_40_12_cifar10plus",
    "densenet40_k12_cifar100": "cifar/densenet_c_40_12_cifar100plus",
    "densenet40_k12_svhn": "svhn/densenet_c_40_12_svhn",
    "densenet40_k12_bc_cifar10": "cifar/densenet_bc_40_12_cifar10plus",
    "densenet40_k12_bc_cifar100": "cifar/densenet_bc_40_12_cifar100plus",
    "densenet40_k12_bc_svhn": "svhn/densenet_bc_40_12_svhn",
    "densenet40_k24_bc_cifar10": "cifar/densenet_bc_40_24_cifar10plus",
    "densenet40_k24_bc_cifar100": "cifar/densenet_bc_40_24_cifar100plus",
    "densenet40_k24_bc_svhn": "svhn/densenet_bc_40_24_svhn",
    "densenet40_k36_bc_cifar10": "cifar/wide_densenet_bc_40_36_cifar10plus",
    "densenet40_k36_bc_cifar100": "cifar/wide_densenet_bc_40_36_cifar100plus",
    "densenet40_k36_bc_svhn": "svhn/wide_densenet_bc_40_36_svhn",
    "densenet100_k12_cifar10": "cifar/densenet_c_100_12_cifar10plus",
    "densenet100_k12_cifar100": "cifar/densenet_c_100_12_cifar100plus",
    "densenet100_k12_svhn": "svhn/densenet_c_100_12_svhn",
    "densenet100_k24_cifar10": "cifar/densenet_c_100_24_cifar10plus",
    "densenet100_k24_cifar100": "cifar/densenet_c_100_24_cifar100plus",
    "densenet100_k12_bc_cifar10": "cifar/densenet_bc_100_12_cifar10plus",
    "densenet100_k12_bc_cifar100": "cifar/densenet_bc_100_12_cifar100plus",
    "densenet190_k40_bc_cifar10": "cifar/densenet_bc_190_40_cifar10plus",
    "densenet250_k24_bc_cifar10": "cifar/densenet_bc_250_24_cifar10plus",
    "densenet250_k24_bc_cifar100": "cifar/densenet_bc_250_24_cifar100plus",
}
QUICK = ("densenet121", "densenet40_k12_cifar10", "densenet40_k12_bc_svhn", "densenet40_k24_bc_cifar100")


def zipped_checkpoint(network: nn.Module, path: Path) -> Path:
    """The state_dict as osmr's releases have it: one .pth, in a zip archive of its own name."""
    torch.save(network.state_dict(), path.with_suffix(""))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.write(path.with_suffix(""), path.with_suffix("").name)
    return path


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PYTORCHCV]
)
def test_pytorchcv_s_networks(tmp_path: Path, name: str) -> None:
    theirs = randomise_statistics(get_model(name))
    ours, report = densezoo.load_checkpoint(zipped_checkpoint(theirs, tmp_path / f"{name}.pth.zip"))
    side, source = (224, "pytorchcv") if "_" not in name else (32, "pytorchcv-cifar")
    images = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected, found = theirs(images), ours.eval()(images)
    assert report.source == source
    assert report.hints[0] == f"read: {name}.pth, the archive's only file"
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()
    config = load_config(CONFIGS / f"{PYTORCHCV[name]}.py").model
    # their last pool has the side of the map at these sizes, where the config's is over the whole map
    expected_arch = dataclasses.replace(config, head_pool=7 if side == 224 else 8, drop_rate=0.0)
    assert report.architecture == expected_arch
