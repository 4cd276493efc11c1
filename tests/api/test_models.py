from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import nn

import densezoo
from densezoo import api
from densezoo.api import documents, models
from densezoo.errors import ConfigError, MetafileError, UnknownNameError
from densezoo.families.densenet.features import FeatureMaps
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import ReportedResult, WeightSource


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


def test_listing_with_a_filter() -> None:
    names = densezoo.list_models("densenet*", where="top1 > 76 and params < 10e6", sort="-top1")
    assert "densenet121.ra_in1k" in names
    figures = [spec.headline.top1 for spec in map(densezoo.get_spec, names) if spec.headline and spec.headline.top1]
    assert figures == sorted(figures, reverse=True)


def test_a_filter_imports_no_torch() -> None:
    program = (
        "import sys, densezoo; assert densezoo.list_models(where='top1 > 76', sort='-top1');"
        "print([name for name in ('torch', 'timm', 'pandas', 'mmengine', 'rich') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_check_index_names_file_model_and_field(monkeypatch: pytest.MonkeyPatch) -> None:
    spec = densezoo.get_spec("densenet_bc_22_8.densezoo_digits")
    (source,) = spec.weights
    wrong = dataclasses.replace(
        spec,
        num_params=1,
        flops={"torchvision": 2},
        weights=(
            dataclasses.replace(source, keymap="torchvison"),
            WeightSource("torch", "pickle", url="https://example.org/f.pth", hash_prefix="abcd"),
        ),
        reported=(
            ReportedResult("cifr10", "digits", 1.0, None, "p", "w"),
            ReportedResult("radimagenet", None, 1.0, None, "p", "w", not_evaluable="densezoo can't read RadImageNet"),
            ReportedResult("imagenet1k", "digits", 1.0, None, "p", "w", tta="tencrop"),
        ),
    )
    monkeypatch.setattr(documents, "load_index", lambda path: {spec.name: wrong})
    with pytest.raises(MetafileError) as caught:
        api.check_index()
    assert str(caught.value).splitlines() == [
        f"metafiles/digits.yml: model {spec.name}: {problem}"
        for problem in (
            f"Metadata: Parameters is 1; {spec.config} builds 32,318",
            f"Metadata: FLOPs: torchvision is 2; {spec.config} takes 858,956 at 8 px",
            "Weight Files: Keymap: there is no 'torchvison'; did you mean 'torchvision'?",
            "Weight Files: https://example.org/f.pth: states neither Keymap nor why it is Not Loadable",
            "Weight Files: https://example.org/f.pth: the hash abcd has less than 8 digits",
            "Results: Dataset: there is no 'cifr10' that isn't Not Evaluable; did you mean 'cifar10'?",
            f"Results: imagenet1k has 1000 classes; {spec.config} has 10",
            "Results: Test Time Augmentation: there is no 'tencrop'; did you mean 'ten-crop'?",
        )
    ]
