"""Training from a config to a file that says how it is used."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_training import SMALL, of_few_images, train

from densezoo import api
from densezoo.api.training_plan import plan_training
from densezoo.errors import ConfigError, TrainingError, UnknownNameError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import stated_facts, write_safetensors
from densezoo.training.logs import read_records

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


def test_with_a_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Two steps; a teacher of another dataset or of other classes is refused, which takes both of its descriptions."""
    of_few_images(monkeypatch)
    architecture = DenseNetArchitecture(4, (1, 1), 8, stem="cifar", in_chans=1, num_classes=10)
    facts = {"architecture": architecture_values(architecture), "dataset": "digits", "protocol": "digits"}
    teacher = tmp_path / "teacher.safetensors"
    write_safetensors(teacher, build_model(architecture).state_dict(), facts)
    overrides = {**SMALL, "train.epochs": 1, "train.batch_size": 48}
    taught = {**overrides, "train.distillation": {"teacher": str(teacher)}}
    alone, imitating = train(tmp_path / "alone", overrides), train(tmp_path / "taught", taught)
    steps = [record for record in read_records(imitating.parent / "log.jsonl") if record["event"] == "epoch"]
    assert [record["step"] for record in steps] == [2]
    assert file_sha256(alone) != file_sha256(imitating)
    plan = plan_training(CONFIG, overrides=taught, device="cpu", seconds=0.0)
    assert plan.memory.teacher > 0
    assert not plan.run.said
    write_safetensors(teacher, build_model(architecture).state_dict(), {**facts, "dataset": ""})
    (said,) = plan_training(CONFIG, overrides=taught, device="cpu", seconds=0.0).run.said
    assert caplog.messages == []
    train(tmp_path / "trusted", taught)
    assert caplog.messages == [said]
    write_safetensors(teacher, build_model(architecture).state_dict(), {**facts, "dataset": "svhn"})
    with pytest.raises(ConfigError, match="expected a network of digits, found one of svhn"):
        train(tmp_path / "refused", taught)


def test_a_config_for_evaluation_only(tmp_path: Path) -> None:
    path = tmp_path / "digits.py"
    path.write_text('model = dict(in_chans=1, num_classes=10)\ndataset = "digits"\nprotocol = "digits"\n')
    with pytest.raises(ConfigError, match="has no 'train' entry"):
        api.train_config(path)


def test_a_memory_mode_that_there_is_not_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "step_00000001.state").write_bytes(b"a former run's")
    with pytest.raises(UnknownNameError, match="no memory mode 'share'; did you mean 'shared'"):
        api.train_config(CONFIG, work_dir=tmp_path, overrides={**SHORT, "train.memory": "share"}, overwrite=True)
    assert (tmp_path / "step_00000001.state").exists()


def test_the_folder_is_named_after_the_config_unless_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work_dirs").mkdir()
    (tmp_path / "work_dirs" / CONFIG.stem).write_text("a file")
    with pytest.raises(TrainingError, match=f"work_dirs/{CONFIG.stem}: expected a folder for logs and states"):
        api.train_config(CONFIG, workers=0, device="cpu", overrides=SHORT)
