"""Files run by the systems that they are for."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from densenet_sources import SMALL, state_dict

import densezoo
from densezoo.conversion.load import load_checkpoint
from densezoo.conversion.verify import LARGEST_ERROR, largest_error, probe_images, system_of
from densezoo.families.densenet.architecture import DenseNetArchitecture

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("file", "system"),
    [
        ("torchvision/small_legacy.pth", "torchvision"),  # names of 2017
        ("torchvision_formats/scripted.pt", "torchvision"),  # whose code isn't run
        ("mmpretrain/epoch_1.pth", "mmpretrain"),  # a Runner's file
        ("onnx/small_nofold.onnx", "onnx"),
    ],
)
def test_a_source_is_run_in_its_own_system(tmp_path: Path, file: str, system: str) -> None:
    source = REPOSITORY / "tests/fixtures/formats" / file
    written = densezoo.convert_checkpoint(source, tmp_path / "m.safetensors", verify=True)[1]
    ((name, error),) = dict(written["verified"]).items()
    assert name == f"{system} {source.name}"
    assert isinstance(error, float), error
    assert error < 2e-6


@pytest.mark.filterwarnings("ignore")  # Keras's own
def test_keras_weights_are_run_in_keras_applications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "small.weights.h5"
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    from keras.src.applications.densenet import DenseNet as KerasDenseNet

    KerasDenseNet([1, 2, 2, 1], weights=None, input_shape=(64, 64, 3), classes=5).save_weights(source)
    written = densezoo.convert_checkpoint(source, tmp_path / "m.safetensors", verify=True)[1]
    error = dict(written["verified"])["keras small.weights.h5"]
    assert isinstance(error, float), error
    assert error < 2e-6


def test_a_system_that_can_t_be_run_says_why(tmp_path: Path) -> None:
    source = REPOSITORY / "tests/fixtures/formats/gpleiss/model.dat"
    written = densezoo.convert_checkpoint(source, tmp_path / "m.safetensors", verify=True)[1]
    assert written["verified"] == {"gpleiss model.dat": "densezoo can't run this system"}


def saved(path: Path, **changes: Any) -> tuple[Path, DenseNetArchitecture, torch.nn.Module]:
    """A file of a small network, under torchvision's names."""
    arch = dataclasses.replace(SMALL, **changes)
    torch.save(state_dict(arch), path)
    return path, arch, load_checkpoint(path, arch)[0]


@pytest.mark.parametrize("shift", [0.0, 1e-4])
def test_the_error_is_relative_to_the_largest_logit(tmp_path: Path, shift: float) -> None:
    """A network that is another by so little has an error of as little, which is over the limit."""
    path, arch, network = saved(tmp_path / "m.pth")
    images = probe_images(arch)
    with torch.no_grad():
        largest = network(images).abs().max()
        network.get_parameter("classifier.bias").add_(shift * largest)
    error = largest_error("torchvision", path, network, arch, images)
    assert isinstance(error, float)
    assert abs(error - shift) < 2e-6
    assert (error < LARGEST_ERROR) is (shift == 0)


def test_why_a_system_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, arch, network = saved(tmp_path / "m.pth")
    images = probe_images(arch)
    assert largest_error("gpleiss", path, network, arch, images) == "densezoo can't run this system"
    told = largest_error("torchvision", path, network, dataclasses.replace(arch, num_classes=7), images)
    assert str(told).startswith(
        "torchvision doesn't take it: Error(s) in loading state_dict for DenseNet: size mismatch"
    )
    monkeypatch.setitem(sys.modules, "torchvision.models", None)
    assert str(largest_error("torchvision", path, network, arch, images)).startswith("not installed: torchvision")


@pytest.mark.parametrize(
    ("source", "changes", "system"),
    [
        ("torchvision", {}, "torchvision"),
        ("torchvision", {"stem": "deep", "aa_layer": None}, "timm"),  # torchvision has no such stem
        ("mmpretrain", {}, "mmpretrain"),
        ("andreasveit", {}, "andreasveit"),  # that nothing runs
    ],
)
def test_the_system_is_one_that_can_have_the_network(
    tmp_path: Path, source: str, changes: dict[str, Any], system: str
) -> None:
    arch = dataclasses.replace(SMALL, **changes)
    torch.save(state_dict(arch), tmp_path / "m.pth")
    assert system_of(source, tmp_path / "m.pth", arch) == system


def test_what_stands_beside_the_tensors_says_whose_file_it_is(tmp_path: Path) -> None:
    torch.save(state_dict(SMALL), tmp_path / "pytorch_model.bin")
    assert system_of("torchvision", tmp_path / "pytorch_model.bin", SMALL) == "torchvision"
    (tmp_path / "config.json").write_text('{"architecture": "densenet121"}')
    assert system_of("torchvision", tmp_path / "pytorch_model.bin", SMALL) == "timm"


def test_the_same_noise_each_time_on_which_every_layer_has_an_effect() -> None:
    images = probe_images(SMALL)
    assert images.equal(probe_images(SMALL))
    assert images.shape == (2, 3, 16, 16)
    assert not images[0].equal(images[1])
