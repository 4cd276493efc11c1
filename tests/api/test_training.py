"""Training from a config to a file that says how it is used."""

from __future__ import annotations

from pathlib import Path

import pytest

from densezoo import api
from densezoo.errors import ConfigError, TrainingError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import stated_facts

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
    assert '"top1"' in (tmp_path / "a" / "log.jsonl").read_text()
    stated = stated_facts(paths[0], read_checkpoint(paths[0]).metadata)
    assert {key: stated[key] for key in ("config", "seed", "dataset", "protocol")} == {
        "config": "configs/digits/densenet_bc_22_8_digits.py",
        "seed": 0,
        "dataset": "digits",
        "protocol": "digits",
    }
    (alone,) = api.evaluate_protocols(None, paths[0], workers=0, device="cpu")  # so it needs no config
    assert (alone.correct1, alone.protocol) == (result.correct1, "digits")


def test_a_config_for_evaluation_only(tmp_path: Path) -> None:
    path = tmp_path / "digits.py"
    path.write_text('model = dict(in_chans=1, num_classes=10)\ndataset = "digits"\nprotocol = "digits"\n')
    with pytest.raises(ConfigError, match="has no 'train' entry"):
        api.train_config(path)


def test_the_folder_is_named_after_the_config_unless_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work_dirs").mkdir()
    (tmp_path / "work_dirs" / CONFIG.stem).write_text("a file")
    with pytest.raises(TrainingError, match=f"work_dirs/{CONFIG.stem}: expected a folder for logs and states"):
        api.train_config(CONFIG, workers=0, device="cpu", overrides=SHORT)
