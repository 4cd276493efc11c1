"""safetensors files, read and written."""

from __future__ import annotations

from pathlib import Path

import torch
from examples import same
from safetensors.torch import save_file

from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import write_safetensors

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


def test_safetensors(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.pth", metadata={"format": "pt"})  # content counts, not the name
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    assert checkpoint.format == "safetensors"
    assert checkpoint.metadata == {"format": "pt"}
    assert same(checkpoint.tensors, TENSORS)


def test_written_safetensors_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    facts = {"architecture": {"growth_rate": 12}, "protocol": "digits", "config": "c", "seed": 0}
    for name in ("a", "b"):
        write_safetensors(tmp_path / name, TENSORS, facts)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert same(read_checkpoint(tmp_path / "a").tensors, TENSORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
