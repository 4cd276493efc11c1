"""A checkpoint under any source's names becomes the canonical state_dict, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
import torchvision
from densenet_sources import DEEP, SMALL, as_densenet, checkpoint, refusal, state_dict

from densezoo.conversion.match import convert, read_network
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture


def test_the_names_of_a_real_torchvision_network() -> None:
    model = torchvision.models.DenseNet(growth_rate=8, block_config=(2, 2), num_init_features=16, num_classes=7)
    arch, converted, _ = convert(checkpoint(dict(model.state_dict())))
    assert arch == DenseNetArchitecture(8, (2, 2), 16, num_classes=7)
    assert converted.keys() == model.state_dict().keys()


def test_half_precision_becomes_float32() -> None:
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in state_dict(SMALL).items()}
    _, converted, _ = convert(checkpoint(tensors))
    assert converted["classifier.weight"].dtype == torch.float32
    assert torch.equal(converted["classifier.weight"], tensors["classifier.weight"].float())


def test_a_large_file_is_refused_by_its_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a number of it is read; a right one is read then."""
    monkeypatch.setattr("densezoo.conversion.match.LARGE_FILE", 1)
    tensors = state_dict(SMALL)
    torch.save(tensors, tmp_path / "m.pth")
    assert convert(read_network(tmp_path / "m.pth"))[2].exact
    del tensors["features.norm5.weight"]
    torch.save(tensors, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"missing \(1\): features.norm5.weight"):
        read_network(tmp_path / "m.pth")


def test_a_resnet_is_no_densenet() -> None:
    message = refusal(dict(torchvision.models.resnet18().state_dict()))
    assert (
        "by its names this is a ResNet; densezoo converts whole DenseNets or RDNets (its 122 tensors: conv1" in message
    )
    assert refusal({}).endswith("; it holds no tensors")
    message = refusal({"a.weight": torch.zeros(1)})
    assert re.search(r"not a DenseNet or RDNet under any naming .* \(.*andreasveit.*\); it holds 1 t", message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_numbers_are_refused(value: float) -> None:
    tensors = state_dict(SMALL)
    tensors["features.norm5.running_var"][3] = value
    assert "features.norm5.running_var holds numbers that are not finite" in refusal(tensors)


def test_options_say_what_tensors_can_t() -> None:
    arch, _, _ = convert(checkpoint(state_dict(DEEP)), aa_layer="blurpool", bn_eps=1e-4)
    assert arch == DenseNetArchitecture(8, (1, 2), 16, stem="deep", aa_layer="blurpool", bn_eps=1e-4, num_classes=4)
    with pytest.raises(CheckpointError, match=r"options: unknown key 'bn_ep'; did you mean 'bn_eps'\?"):
        convert(checkpoint(state_dict(DEEP)), bn_ep=1e-4, aa_layer=None)


def test_a_negative_variance_and_whole_numbers_are_refused() -> None:
    tensors = state_dict(SMALL)
    tensors["features.norm5.running_var"][3] = -1
    assert "negative variance" in refusal(tensors)
    tensors = state_dict(SMALL)
    tensors["classifier.weight"] = tensors["classifier.weight"].to(torch.int8)
    assert "not quantised" in refusal(tensors)


def test_the_result_shares_no_memory_with_the_file() -> None:
    tensors = state_dict(SMALL)
    _, converted, _ = convert(checkpoint(tensors))
    theirs = {tensor.data_ptr() for tensor in tensors.values()}
    assert not theirs & {tensor.data_ptr() for tensor in converted.values()}


def test_an_uncommon_reduction_is_found() -> None:
    arch = DenseNetArchitecture(7, (3, 2, 2), 15, reduction=0.7, stem="cifar", num_classes=2)
    found, _, report = convert(checkpoint(state_dict(arch)))
    assert report.exact
    assert abs(as_densenet(found).reduction - 0.7) < 0.05
