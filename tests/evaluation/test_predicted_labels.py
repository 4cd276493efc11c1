"""The areas of labels over predicted images: those of `densezoo test` on the same images, to the last digit."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from small_labels import ARCH, NAMES, NUMBER, small_labels, write_table

import densezoo
from densezoo import api
from densezoo.data.class_names import cifar_classes
from densezoo.data.split import FILE, Split, store_split
from densezoo.errors import ConfigError
from densezoo.evaluation.multi_label import label_areas
from densezoo.evaluation.predicted_labels import PredictedLabels
from densezoo.families import architecture_values
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import LabelAreas

Tool = Callable[..., int]
SUMMARY = "area under each label's ROC curve"


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return small_labels(tmp_path)


def test_the_areas_are_those_of_densezoo_test_in_whatever_order_the_pictures_come(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--label-table", tmp_path / "labels.csv", "--workers", 0, "--device", "cpu", "--json")
    assert tool("test", weights, *common, "--data-root", tmp_path, "--out", tmp_path / "out") == 0
    (measured,) = json.loads(capsys.readouterr().out)["results"]
    pictures = [tmp_path / f"{i:02}.png" for i in range(NUMBER)]
    random.Random(0).shuffle(pictures)
    assert tool("predict", weights, *pictures, *common, "--topk", 1, "--batch-size", 5) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["areas"] == {
        "num_images": NUMBER, "left_out": 0, "labels": measured["labels"], "mean_auc": measured["mean_auc"]
    }  # fmt: skip
    assert [each["image"] for each in found["predictions"]] == [str(path) for path in pictures]
    assert {len(each["answers"]) for each in found["predictions"]} == {1}


def test_as_a_table_the_areas_are_last_and_elsewhere_on_stderr(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    common = ("predict", weights, ".", "--workers", 0)
    table = ("--label-table", "labels.csv")
    assert tool(*common, "--parquet", "plain.parquet") == 0
    plain = capsys.readouterr().out
    assert tool(*common, *table, "--parquet", "areas.parquet") == 0
    shown = capsys.readouterr().out
    assert shown.startswith(plain), "the predictions stay as they are"
    assert shown[len(plain) :].splitlines()[0] == f"{SUMMARY}, {NUMBER} pictures"
    assert [line.split()[0] for line in shown.splitlines()[-4:]] == ["bright", "dark", "never", "mean"]
    for form in ("--csv",), ("--format", "dict"):
        assert tool(*common, *form) == 0
        expected = capsys.readouterr().out
        assert tool(*common, *table, *form) == 0
        streams = capsys.readouterr()
        assert streams.out == expected
        assert SUMMARY in streams.err


def test_pictures_that_can_t_be_read_are_in_no_area(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "03.png").write_bytes(b"no image")
    common = ("predict", weights, tmp_path, "--label-table", tmp_path / "labels.csv", "--workers", 0)
    assert tool(*common) == 1
    assert "03.png: can't be decoded" in capsys.readouterr().err
    assert tool(*common, "--skip-unreadable") == 3
    assert f"{SUMMARY}, 23 pictures; 1 that can't be read left out" in capsys.readouterr().out
    (tmp_path / "03.png").unlink()
    assert tool(*common, "--json") == 0, "a line of the CSV whose picture isn't given changes nothing"
    without = json.loads(capsys.readouterr().out)["areas"]
    assert (without["num_images"], without["left_out"]) == (23, 0)


def test_of_a_sample_the_labels_are_those_of_its_pictures(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("--label-table", tmp_path / "labels.csv", "--workers", 0, "--json")
    assert tool("predict", weights, tmp_path, *common, "--limit", 7) == 0
    sampled = json.loads(capsys.readouterr().out)
    pictures = [each["image"] for each in sampled["predictions"]]
    assert tool("predict", weights, *pictures, *common) == 0
    assert sampled["areas"] == json.loads(capsys.readouterr().out)["areas"]
    assert (sampled["areas"]["num_images"], sampled["sampled_from"]) == (7, NUMBER)


def test_from_python(weights: Path, tmp_path: Path) -> None:
    (measured,) = api.evaluate_labels(None, weights, "labels.csv", data_root=tmp_path, workers=0, device="cpu")
    classifier = densezoo.Classifier(weights, workers=0, device="cpu")
    areas = classifier.label_areas(tmp_path, tmp_path / "labels.csv")
    assert areas == LabelAreas(NUMBER, 0, measured.labels, measured.mean_auc)
    assert classifier.label_areas([tmp_path, tmp_path / "00.png"], "labels.csv", tmp_path) == areas
    (tmp_path / "03.png").write_bytes(b"no image")
    assert classifier.label_areas(tmp_path, tmp_path / "labels.csv", on_error="skip").left_out == 1


def test_where_nothing_names_the_outputs_the_csv_does(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    weights = small_labels(tmp_path, class_names=None, multi_label=None)
    picture, common = tmp_path / "00.png", ("--label-table", tmp_path / "labels.csv", "--workers", 0, "--json")
    assert tool("predict", weights, picture, *common) == 0
    found = json.loads(capsys.readouterr().out)
    answers = found["predictions"][0]["answers"]
    assert {each["class"]: each["name"] for each in answers} == {0: "never", 1: "bright", 2: "dark edge"}
    assert sum(each["probability"] for each in answers) != pytest.approx(1, abs=0.05), "each label has its own"
    assert any(message.endswith("'never', 'bright', 'dark edge'") for message in caplog.messages)
    (tmp_path / "names.txt").write_text("\n".join(NAMES))
    assert tool("predict", weights, picture, *common, "--class-names", tmp_path / "names.txt") == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in found["areas"]["labels"]] == list(NAMES)


def test_the_names_that_a_dataset_gives_are_the_outputs_own(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the order of the columns: the CSV names the outputs only where nothing else does."""
    small_labels(tmp_path)
    names, arch = cifar_classes(10), dataclasses.replace(ARCH, num_classes=10)
    facts = {"architecture": architecture_values(arch), "dataset": "cifar10", "protocol": "digits"}
    write_safetensors(tmp_path / "ten.safetensors", api.create_model(arch).state_dict(), facts)
    write_table(tmp_path / "ten.csv", ["file", *reversed(names)], [["00.png", *"1010101010"]])
    common = ("predict", tmp_path / "ten.safetensors", tmp_path / "00.png", "--workers", 0, "--format", "dict")
    assert tool(*common) == 0
    plain = capsys.readouterr().out
    assert tool(*common, "--label-table", tmp_path / "ten.csv") == 0
    assert capsys.readouterr().out == plain


def test_a_classifier_of_one_class_an_image_has_no_areas(tmp_path: Path) -> None:
    weights = small_labels(tmp_path, multi_label=False)
    with pytest.raises(ConfigError, match=r"gives one class an image.*multi_label=True"):
        densezoo.Classifier(weights, workers=0).label_areas(tmp_path, tmp_path / "labels.csv")
    several = densezoo.Classifier(weights, workers=0, multi_label=True)
    assert several.label_areas(tmp_path, tmp_path / "labels.csv").num_images == NUMBER


def test_pictures_to_train_on_are_told(
    tool: Tool, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for i, side in enumerate(("train", "val", "val")):
        (tmp_path / side).mkdir(exist_ok=True)
        (tmp_path / f"{i:02}.png").rename(tmp_path / side / f"{i}.png")
    rows = [[f"{side}.png", *"101"] for side in ("train/0", "val/1", "val/2")]
    write_table(tmp_path / "sides.csv", ["file", *NAMES], rows)
    table = ("--label-table", tmp_path / "sides.csv", "--workers", 0)
    assert tool("predict", weights, tmp_path / "val", *table) == 0
    assert not any("below train/" in message for message in caplog.messages)
    assert tool("predict", weights, tmp_path / "val", tmp_path / "train", *table) == 0
    assert any(message.startswith("warning: 1 of 3 images lie below train/") for message in caplog.messages)


def test_what_does_not_fit_is_refused_before_a_picture_is_read(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_table(tmp_path / "other.csv", ["file", "cat", "bright", "never"], [["00.png", "0", "1", "0"]])
    write_table(tmp_path / "few.csv", ["file", *NAMES], [["00.png", "0", "1", "0"]])
    (tmp_path / "below").mkdir()
    for pictures, options, message in (
        ("00.png", ["--label-table", tmp_path / "other.csv"], "expected the network's labels, in any order"),
        ("", ["--label-table", tmp_path / "few.csv"], "01.png: expected a line of this picture in"),
        ("", ["--label-table", tmp_path / "few.csv"], "found none, nor of 22 more; leave the picture out"),
        ("00.png", ["--label-table", tmp_path / "few.csv", "--data-root", tmp_path / "below"], "00.png: expected a li"),
        ("00.png", ["--data-root", tmp_path], "--data-root says what the names in --label-table are relative to"),
        ("00.png", ["--label-table", tmp_path / "none.csv"], "none.csv: can't be read (No such file"),
    ):
        assert tool("predict", weights, tmp_path / pictures, *options, "--workers", 0) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert message in shown.err


def test_images_of_one_row_count_once() -> None:
    kept = PredictedLabels(["b", "a", "b", "c"], {"a": (0,), "b": (), "c": (1,), "d": (0, 1)}, ("cat", "dog"))
    kept.add([2, 1], torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    kept.add([0], torch.tensor([[1.0, 2.0]]))
    areas = kept.areas()
    assert (areas.num_images, areas.left_out) == (2, 1)
    assert [(label.positives, label.negatives, label.auc) for label in areas.labels] == [(1, 1, 1.0), (0, 2, None)]
    assert dataclasses.replace(areas, labels=()).mean_auc == 1.0


def test_the_order_of_the_images_moves_no_digit() -> None:
    """Sums of floats depend on their order: the logits are put in that of the names, which `densezoo test` has."""
    noise = np.random.default_rng(0)
    logits, has = noise.normal(size=(997, 2)), noise.random((997, 2)) < 0.3
    names = [f"{i:03}.png" for i in range(997)]
    sets = {name: tuple(np.flatnonzero(row).tolist()) for name, row in zip(names, has)}
    expected = label_areas(logits, list(sets.values()), ("cat", "dog"))
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(997)
        kept = PredictedLabels([names[i] for i in order], sets, ("cat", "dog"))
        kept.add(range(997), torch.from_numpy(logits[order]))
        assert kept.areas().labels == expected


def test_pictures_that_were_trained_on_are_told(
    tool: Tool, weights: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store_split(tmp_path / FILE, Split(0, 0.25, {"00.png": "0" * 64, "02.png": "0" * 64}, {"01.png": "0" * 64}))
    common = ("--label-table", tmp_path / "labels.csv", "--workers", 0)
    assert tool("predict", weights, tmp_path / "00.png", tmp_path / "01.png", *common) == 0
    assert any(message.startswith("warning: 1 of 2 images were trained on, as ") for message in caplog.messages)
