"""The network of a benchmark: by a name or a config, with given or drawn weights."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from benchmark_runs import SMALL
from torch import nn

from densezoo.benchmarks.subject import drawn_network, make_subject
from densezoo.config import load_config
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol


def test_a_name_of_the_index_and_a_config_are_the_same_subject(tmp_path: Path) -> None:
    config = make_subject(SMALL, tmp_path, None, None, None)
    name = make_subject("densenet_bc_22_8.densezoo_digits", tmp_path, None, None, None)
    assert (config.name, name.name) == ("densenet_bc_22_8_digits", "densenet_bc_22_8")
    assert config.experiment.model == name.experiment.model
    assert (config.protocol, config.image_size, config.multiply_adds) == ("digits", 8, 858_956)
    assert make_subject(SMALL, tmp_path, None, 16, None).multiply_adds > 3 * 858_956
    with pytest.raises(UnknownNameError, match="did you mean"):
        make_subject("densenet_bc_22_8.densezoo_digit", tmp_path, None, None, None)


def test_a_protocol_without_a_size_asks_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sizeless = dataclasses.replace(get_protocol("digits"), image_size=None)
    monkeypatch.setattr("densezoo.benchmarks.subject.get_protocol", lambda name: sizeless)
    with pytest.raises(ConfigError, match="protocol digits says no image size; give --img-size"):
        make_subject(SMALL, tmp_path, None, None, None)


def test_given_weights_are_the_file_s(tmp_path: Path) -> None:
    shipped = ROOT / SMALL.replace(".py", ".safetensors")
    subject = make_subject(SMALL, tmp_path, None, None, shipped)
    written = read_checkpoint(subject.weights).tensors
    network, _ = load_checkpoint(shipped)
    assert written.keys() == network.state_dict().keys()
    assert all(torch.equal(written[name], tensor) for name, tensor in network.state_dict().items())


def test_every_norm_of_drawn_weights_has_an_effect(tmp_path: Path) -> None:
    """A program that leaves a norm out would otherwise give nearly the same logits."""
    experiment = load_config(ROOT / SMALL)
    network = drawn_network(experiment, 8)
    again = drawn_network(experiment, 8)
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), again.state_dict().values()))
    assert isinstance(network, DenseNet)
    images = torch.randn(2, 1, 8, 8)
    with torch.inference_mode():
        expected = network(images)
        assert 0.1 < expected.abs().max() < 100  # no logit overflows in bf16
        for norm in (module for module in network.modules() if isinstance(module, nn.BatchNorm2d)):
            before = [norm.running_mean, norm.running_var]
            norm.running_mean, norm.running_var = torch.zeros_like(norm.bias), torch.ones_like(norm.bias)
            assert (network(images) - expected).abs().max() > 1e-3 * expected.abs().max()
            norm.running_mean, norm.running_var = before
