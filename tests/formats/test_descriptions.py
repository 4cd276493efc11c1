"""What stands beside a file's tensors is given as it is written, whatever system wrote it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from densezoo.errors import FormatError
from densezoo.formats.descriptions import MAX_CONFIG, config_beside, run_arguments
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Description

CONFIG = {"architecture": "of_tomorrow", "model_args": {"depth": None}}


def test_a_config_is_given_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file({"w": torch.zeros(1)}, tmp_path / "model.safetensors")
    description = Description(str(tmp_path / "config.json"), "config", CONFIG)
    checkpoint = read_checkpoint(tmp_path / "model.safetensors")
    assert checkpoint.descriptions == (description,)
    assert checkpoint.described == (), "a family reads it"
    assert config_beside(tmp_path / "other.safetensors") == (), "it is of the file with Hugging Face's name"


@pytest.mark.parametrize("text", ["{", "[" * 10_000, f'{{"a": "{"x" * MAX_CONFIG}"}}'])
def test_a_config_that_can_t_be_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(FormatError, match=r"config.json: describes model.safetensors, and can't be read"):
        config_beside(tmp_path / "model.safetensors")


def test_a_config_of_no_mapping_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    assert config_beside(tmp_path / "model.safetensors") == ()


def test_arguments_of_a_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1)}, "args": {"lr": 0.1}}, tmp_path / "m.pth")
    (description,) = read_checkpoint(tmp_path / "m.pth").descriptions
    assert description == Description(f"{tmp_path / 'm.pth'}, in its training arguments", "arguments", {"lr": 0.1})
    assert run_arguments(tmp_path, ["lr"]) == ()
