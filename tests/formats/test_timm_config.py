"""What timm writes beside its tensors: arguments of a training run, Hugging Face's config.json."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.read import read_checkpoint

TENSORS = {"features.conv0.weight": torch.zeros(2, 3, 7, 7)}
PLAIN = {"model": "densenet121", "gp": None, "bn_eps": None, "model_kwargs": {}}


def trained(tmp_path: Path, **arguments: object) -> Path:
    content = {"state_dict": TENSORS, "args": argparse.Namespace(**{**PLAIN, **arguments}), "version": 2}
    torch.save(content, tmp_path / "last.pth.tar")
    return tmp_path / "last.pth.tar"


def published(tmp_path: Path, weights: str = "model.safetensors", **facts: Any) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "densenet121", "global_pool": "avg", **facts}))
    (save_file if weights.endswith("safetensors") else torch.save)(TENSORS, tmp_path / weights)
    return tmp_path / weights


@pytest.mark.parametrize(
    ("arguments", "stated"),
    [
        ({}, {"aa_layer": None}),
        ({"model": "densenetblur121d"}, {"aa_layer": "blurpool"}),
        ({"model": "densenetblur121d.ra_in1k", "bn_eps": 1e-3}, {"aa_layer": "blurpool", "bn_eps": 1e-3}),
        (
            {"model": "densenetblur121d", "model_kwargs": {"aa_stem_only": False}},
            {"aa_layer": "blurpool", "aa_stem_only": False},
        ),
        ({"model": "resnet50", "gp": "max"}, {}),
    ],
)
def test_arguments_of_a_training_run(tmp_path: Path, arguments: dict[str, object], stated: dict[str, object]) -> None:
    assert read_checkpoint(trained(tmp_path, **arguments)).semantics == stated


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gp": "max"}, "says that the network has gp 'max'"),
        ({"model_kwargs": {"act_layer": "silu"}}, "says that the network has act_layer 'silu'"),
        ({"model_kwargs": {"norm_layer": "groupnorm1"}}, "says that the network has norm_layer 'groupnorm1'"),
    ],
)
def test_another_function_is_refused(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(trained(tmp_path, **arguments))


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_hugging_faces_config(tmp_path: Path, weights: str) -> None:
    blur = published(tmp_path, weights, architecture="densenetblur121d")
    assert read_checkpoint(blur).semantics == {"aa_layer": "blurpool"}
    with pytest.raises(CheckpointError, match=r"config.json: says that the network has act_layer 'silu'"):
        read_checkpoint(published(tmp_path, weights, model_args={"act_layer": "silu"}))
    with pytest.raises(CheckpointError, match="has global_pool 'catavgmax'"):
        read_checkpoint(published(tmp_path, weights, global_pool="catavgmax"))
    other = published(tmp_path, "other.safetensors", global_pool="max")
    assert read_checkpoint(other).semantics == {}, "the config is of the file with Hugging Face's name"
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FormatError, match="config.json: describes .*, and can't be read"):
        read_checkpoint(tmp_path / weights)
