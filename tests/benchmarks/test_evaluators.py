"""Other packages' evaluations as commands, and the classes that they leave behind."""

from __future__ import annotations

import importlib.util
import json
import pickle
from pathlib import Path

import pytest
from benchmark_runs import small_subject
from PIL import Image

from densezoo.benchmarks.evaluators import first_classes, mmpretrain_evaluations, no_evaluation
from densezoo.benchmarks.inference import Settings
from densezoo.benchmarks.subject import make_subject
from densezoo.config import load_config
from densezoo.paths import ROOT


def test_mmpretrain_is_timed_only_on_its_own_crops(tmp_path: Path) -> None:
    if importlib.util.find_spec("mmpretrain") is None:
        pytest.skip("mmpretrain is not installed")
    settings = Settings(["eager"])
    (row,) = mmpretrain_evaluations(small_subject(tmp_path), settings, tmp_path)
    assert row.failed == "its images are cut otherwise than those of protocol digits: give --protocol mmpretrain"
    subject = make_subject("densenet121", tmp_path, "mmpretrain", 32, None)
    (row,) = mmpretrain_evaluations(subject, settings, tmp_path)
    assert row.failed is None
    images = tmp_path / "images"
    (images / "val/n01443537").mkdir(parents=True)
    (images / "val/n01443537/0000_a.JPEG").touch()
    command = row.command(images, tmp_path / "predictions.pkl")
    assert Path(command[1]).is_file()
    assert (tmp_path / "mmpretrain.txt").read_text() == "n01443537/0000_a.JPEG 1\n"
    config = Path(command[2]).read_text()
    assert Path(config.splitlines()[0].removeprefix("_base_ = ").strip("'")).is_file()
    assert str(images) in config
    assert command[-4:] == ["--out", str(tmp_path / "predictions.pkl"), "--out-item", "pred"]


def test_a_program_without_an_evaluation_says_what_to_do(tmp_path: Path) -> None:
    (row,) = no_evaluation("onnxruntime", small_subject(tmp_path), Settings([]), tmp_path)
    assert row.result("avx2", {}).not_measured == row.failed
    assert "--backend" in str(row.failed)


def test_classes_of_other_packages_files(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"val/cat/1.png": 3}))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps([{"img_path": "/x/val/cat/1.png", "pred_label": 3}]))
    assert first_classes(tmp_path / "a.json") == first_classes(tmp_path / "a.pkl") == {"cat/1.png": 3}


@pytest.mark.slow
def test_mmpretrain_s_classes_are_densezoo_s(tmp_path: Path) -> None:
    """Its own command on real files; noise has no clear first class, so that another crop would show."""
    pytest.importorskip("mmpretrain")
    from densezoo.benchmarks.evaluation import Evaluations, measure_evaluations

    for index, wnid in enumerate(("n01440764", "n15075141", "n01440764")):
        path = tmp_path / "source" / wnid / f"{index}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.effect_noise((310, 290), 90 + index).convert("RGB").save(path)
    subject = make_subject("densenet121", tmp_path, "mmpretrain", None, None)
    assert load_config(ROOT / "configs/densenet121.py").model == subject.experiment.model
    sets = Evaluations(tmp_path / "source", 3, subject.weights)
    settings = Settings(["eager"], ["mmpretrain"], rounds=1)
    found = measure_evaluations(subject, settings, sets, tmp_path, lambda line: None)
    assert [(each.name, each.not_measured, each.agreement) for each in found] == [
        ("densezoo eager", None, 1.0),
        ("mmpretrain", None, 1.0),
    ]
