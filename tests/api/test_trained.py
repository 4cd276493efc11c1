"""The end of a training: the result that `densezoo test` would store, curves, and a card that says what was done."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image
from small_training import CONFIG, NAME, SMALL, of_few_images, train

from densezoo.api.trained import Finished, finish_training
from densezoo.errors import ResultError, TrainingError
from densezoo.results.store import read_label_results
from densezoo.training.logs import read_records
from densezoo.training.work_folder import remove_run
from densezoo.types import EvalResult, LabelResult


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights of a small run, in its folder."""
    with pytest.MonkeyPatch.context() as patch:
        of_few_images(patch)
        return train(tmp_path_factory.mktemp("trained"))


def finish(weights: Path) -> Finished:
    return finish_training(CONFIG, weights, workers=0, device="cpu", overrides=SMALL)


def test_the_result_is_that_of_densezoo_test(trained: Path, tool: Callable[..., int], tmp_path: Path) -> None:
    finished = finish(trained)
    assert finished.stored.is_file()
    assert finished.stored.is_relative_to(trained.parent)
    overrides = [f"{key}={value}" for key, value in SMALL.items()]
    options = ("--workers", 0, "--device", "cpu", "--out", tmp_path, "--cfg-options", *overrides)
    assert tool("test", CONFIG, trained, *options) == 0
    (stored,) = tmp_path.glob("*/*.json")
    assert stored.relative_to(tmp_path) == finished.stored.relative_to(trained.parent / "results")
    own, other = (json.loads(path.read_text()) for path in (finished.stored, stored))
    assert {key for key in own if own[key] != other[key]} <= {"date", "seconds"}


def test_the_card_says_what_was_done(trained: Path) -> None:
    finished = finish(trained)
    assert finished.card == trained.parent / "README.md"
    card = ModelCard(finished.card.read_text(), ignore_metadata_errors=False)
    assert isinstance(card.data, ModelCardData)
    assert isinstance(finished.result, EvalResult)
    top1 = (card.data.eval_results or [])[0]
    assert top1.metric_value == finished.result.top1
    for words in (
        f"densezoo train configs/digits/{CONFIG.name} --cfg-options train.epochs=3 train.batch_size=24 ",
        "'model.block_config=(1, 1)'",
        "| epochs | 3 |",
        "| batch_size | 24 |",
        "| schedule | cosine |",
        "| weight_decay | 0.0001 |",
        "3 epochs, 12 steps, begun with random weights",
        f"| {NAME} | {trained.stat().st_size:,} | {finished.result.weights_sha256} |",
        "The 10 outputs are: 0, 1, 2, ",
        "(curves.png)",
        f"(results/digits/{finished.stored.name})",
    ):
        assert words in card.text, words
    assert (trained.parent / "curves.png").is_file()


def test_without_matplotlib_there_is_no_picture_and_no_harm(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(trained.parent, tmp_path / "run", ignore=shutil.ignore_patterns("curves.png"))
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with caplog.at_level(logging.WARNING, "densezoo"):
        finished = finish(tmp_path / "run" / NAME)
    assert "no curves.png: " in caplog.text
    assert "needs matplotlib" in caplog.text
    assert (finished.curves, (tmp_path / "run" / "curves.png").exists()) == (None, False)
    assert "curves.png" not in (tmp_path / "run" / "README.md").read_text()


def test_a_user_s_own_document_is_not_replaced_by_the_card(
    trained: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = Path(shutil.copytree(trained.parent, tmp_path / "run"))
    (folder / "README.md").write_text("mine")
    with caplog.at_level(logging.WARNING, "densezoo"):
        finished = finish(folder / NAME)
    assert "README.md isn't as densezoo train wrote it, so it stays" in caplog.text
    assert (finished.card, (folder / "README.md").read_text()) == (None, "mine")


def test_a_card_that_cannot_be_written_says_what_is_there_already(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.parent, tmp_path / "run"))
    (folder / "README.md").unlink(missing_ok=True)
    (folder / "README.md").mkdir()
    told = f"card can't be written \\(Is a directory\\). .*{NAME} is trained whole: .* --resume goes on"
    with pytest.raises(ResultError, match=told):
        finish(folder / NAME)


def test_an_edited_card_is_neither_replaced_nor_removed(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.parent, tmp_path / "run"))
    card = finish(folder / NAME).card
    assert card is not None
    assert finish(folder / NAME).card == card  # its own is written anew
    edited = card.read_text().replace("\n---\n", "\nlicense: mit\n---\n", 1)
    card.write_text(edited)
    assert finish(folder / NAME).card is None
    remove_run(folder, CONFIG.stem)
    assert card.read_text() == edited
    assert [path.name for path in folder.iterdir()] == ["README.md"]


def test_overwriting_removes_the_card_and_the_results_of_these_weights_alone(trained: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained.parent, tmp_path / "run"))
    finished = finish(folder / NAME)
    other = finished.stored.with_name("other@digits.json")
    other.write_text(finished.stored.read_text().replace(finished.result.weights_sha256, "0" * 64))
    remove_run(folder, CONFIG.stem)
    assert [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()] == [other.relative_to(folder)]
    own = other.rename(folder / "README.md")  # no card
    remove_run(folder, CONFIG.stem)
    assert own.is_file()


def pictures(root: Path, folders: Sequence[str], number: int = 20) -> Path:
    """Grey pictures, in the folders in turn."""
    for index in range(number):
        path = root / folders[index % len(folders)] / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (8, 8), 10 * index).save(path)
    return root


def test_own_images_are_measured_on_those_that_were_drawn(tmp_path: Path) -> None:
    pictures(tmp_path / "images", ["cat", "dog"])
    overrides = {**SMALL, "dataset": "imagefolder", "train.batch_size": 8, "train.held_out": 0.3}
    weights = train(tmp_path / "run", overrides, data_root=tmp_path / "images")
    options = {"workers": 0, "device": "cpu", "overrides": overrides}
    finished = finish_training(CONFIG, weights, data_root=tmp_path / "images", **options)  # type: ignore[arg-type]
    assert (finished.result.num_samples, finished.result.dataset) == (6, "imagefolder")
    last = read_records(tmp_path / "run" / "log.jsonl")[-1]
    assert isinstance(finished.result, EvalResult)
    assert finished.result.top1 == pytest.approx(last["top1"])
    assert "The 2 outputs are: cat, dog." in (tmp_path / "run" / "README.md").read_text()


def test_images_of_other_classes_than_the_file_s_are_refused(tmp_path: Path) -> None:
    """Renamed folders have another order, in which each image would count as another class."""
    root = pictures(tmp_path / "images", ["train/cat", "train/dog", "val/cat", "val/dog"])
    options: Any = {"data_root": root, "workers": 0}
    overrides = {**SMALL, "dataset": "imagefolder", "train.batch_size": 8, "train.epochs": 1}
    weights = train(tmp_path / "run", overrides, **options)
    for half in ("train", "val"):
        (root / half / "dog").rename(root / half / "ape")
    with pytest.raises(TrainingError, match=r"has images of \['ape', 'cat'\], expected \['cat', 'dog'\]"):
        finish_training(CONFIG, weights, device="cpu", overrides=overrides, **options)


def test_of_several_labels_an_image_it_ends_with_an_area_for_each(tmp_path: Path) -> None:
    root = pictures(tmp_path / "images", ["."])
    lines = [f"{i}.png,{i % 2},{int(i % 4 < 2)}" for i in range(20)]
    (root / "labels.csv").write_text("\n".join(["file,odd,low", *lines]))
    overrides = {**SMALL, "dataset": "imagefolder", "train.batch_size": 8, "train.epochs": 1, "train.held_out": 0.4}
    overrides |= {"train.label_table": "labels.csv", "train.loss": "bce"}
    options: Any = {"data_root": root, "workers": 0}
    weights = train(tmp_path / "run", overrides, **options)
    finished = finish_training(CONFIG, weights, device="cpu", overrides=overrides, **options)
    assert isinstance(finished.result, LabelResult)
    last = read_records(tmp_path / "run" / "log.jsonl")[-1]
    areas = {label.name: label.auc for label in finished.result.labels}
    assert areas == pytest.approx({"odd": last["auc odd"], "low": last["auc low"]})
    assert (finished.result.num_samples, finished.result.coverage.scored) == (8, 8)
    assert read_label_results(tmp_path / "run" / "results") == [finished.result]
    assert finished.card is not None
    card = finished.card.read_text()
    for words in (
        f"| odd | {areas['odd']:.4f} | ",
        f"Mean of 2 labels: {finished.result.mean_auc:.4f}. Protocol digits. Measured by `densezoo test`",
        f"densezoo test {NAME} --data-root DATA --label-table labels.csv",
        "model(batch).sigmoid()[0]",
        "The 2 outputs are: odd, low.",
        "type: roc_auc",
    ):
        assert words in card, words
    remove_run(tmp_path / "run", CONFIG.stem)
    assert not list((tmp_path / "run").iterdir())
