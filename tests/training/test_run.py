from __future__ import annotations

from pathlib import Path

import pytest

from densezoo import api
from densezoo.errors import ConfigError, TrainingError
from densezoo.formats.identity import file_sha256

CONFIG = api.DEMO[0]
SHORT = {"train.epochs": 2, "model.growth_rate": 4, "model.block_config": (1, 1, 1)}


def test_two_epochs_learn_and_give_the_same_file_twice(tmp_path: Path) -> None:
    paths = [
        api.train_config(CONFIG, work_dir=tmp_path / name, workers=0, device="cpu", overrides=SHORT) for name in "ab"
    ]
    assert paths[0] == tmp_path / "a" / "densenet_bc_22_8_digits.safetensors"
    assert file_sha256(paths[0]) == file_sha256(paths[1])
    result = api.evaluate_checkpoint(CONFIG, paths[0], workers=0, device="cpu", overrides=SHORT)
    assert result.top1 > 30  # chance is 10
    assert result.model.startswith(f"densenet_bc_22_8_digits.{file_sha256(paths[0])[:8]}-")
    assert "top1" in next((tmp_path / "a").glob("*/*.log")).read_text()


def test_a_lost_loss_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at iteration \d+; lower train.lr"):
        api.train_config(CONFIG, work_dir=tmp_path, workers=0, device="cpu", overrides={**SHORT, "train.lr": 1e9})
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_config_for_evaluation_only(tmp_path: Path) -> None:
    path = tmp_path / "digits.py"
    path.write_text('model = dict(in_chans=1, num_classes=10)\ndataset = "digits"\nprotocol = "digits"\n')
    with pytest.raises(ConfigError, match="has no 'train' entry"):
        api.train_config(path)
