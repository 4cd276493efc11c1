"""Networks of several labels an image as a user measures them: the areas, what is stored, what is refused."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from examples import example_facts, example_images
from numpy.typing import NDArray
from PIL import Image
from sklearn.metrics import roc_auc_score
from small_labels import NAMES, NUMBER, small_labels

from densezoo import api
from densezoo.data.loading import Batch
from densezoo.errors import ConfigError, EvaluationError, ImageError
from densezoo.evaluation import distributed
from densezoo.evaluation.label_run import collect, finish_labels, label_record, label_records_of
from densezoo.evaluation.options import StoreOptions
from densezoo.evaluation.record_log import RecordLog
from densezoo.protocols import get_protocol
from densezoo.results.store import read_label_results, read_results
from densezoo.types import Coverage, LabelResult

Tool = Callable[..., int]


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return small_labels(tmp_path)


def measure(weights: Path, **options: Any) -> LabelResult:
    given = {"data_root": weights.parent, "workers": 0, "device": "cpu", "batch_size": 5, **options}
    (result,) = api.evaluate_labels(None, weights, "labels.csv", **given)
    return result


def independent_logits(weights: Path) -> tuple[list[dict[str, str]], NDArray[np.float32]]:
    """The CSV's rows, and the network's logits of each, without densezoo's evaluator."""
    with (weights.parent / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    network = api.load_checkpoint(weights)[0].eval()
    pixels = np.stack([np.asarray(Image.open(weights.parent / row["file"])) for row in rows])
    with torch.inference_mode():
        found: NDArray[np.float32] = network((torch.from_numpy(pixels)[:, None] / 255 - 0.3075) / 0.3770).numpy()
    return rows, found


def stored_file(folder: Path) -> Path:
    (path,) = folder.glob("out/imagefolder/multi-label/net.*@digits.json")
    return path


def test_the_areas_are_scikit_learn_s_whatever_the_order_of_the_columns(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("test", weights, "--label-table", "labels.csv", "--data-root", tmp_path, "--workers", 0)
    out = ("--out", tmp_path / "out", "--device", "cpu", "--predictions", tmp_path / "p.parquet")
    assert tool(*common, *out, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (result,) = read_label_results(tmp_path / "out")
    assert (found["stored"], read_results(tmp_path / "out")) == ([str(stored_file(tmp_path))], [])
    rows, logits = independent_logits(weights)
    assert [label.name for label in result.labels] == list(NAMES)
    for i, label in enumerate(result.labels[:2]):
        has = [int(row[label.name]) for row in rows]
        assert label.auc == pytest.approx(roc_auc_score(has, logits[:, i]), abs=1e-12)
        assert label.interval95 is not None
        assert label.interval95[0] < (label.auc or 0) < label.interval95[1]
        assert (label.positives, label.negatives) == (sum(has), NUMBER - sum(has))
        assert found["results"][0]["labels"][i]["auc"] == label.auc
    assert (result.labels[2].auc, result.labels[2].positives, result.labels[2].negatives) == (None, 0, NUMBER)
    assert result.mean_auc == pytest.approx(sum(label.auc or 0 for label in result.labels) / 2)
    assert (result.num_samples, result.coverage) == (NUMBER, Coverage(NUMBER, NUMBER, (), 0))
    assert tool("analyze", tmp_path / "p.parquet") == 0
    analyzed = capsys.readouterr().out.splitlines()
    assert tool(*common, *out) == 0
    shown = capsys.readouterr().out.splitlines()
    assert analyzed[1:] == shown[1:6]
    assert shown[4].split() == ["never", "-", *"no image has it".split(), "0", str(NUMBER)]
    assert shown[-1].startswith(("  already stored, the same, on ", "  stored: "))  # the latter within one second
    assert tool("analyze", tmp_path / "p.parquet", "--json") == 0
    values = json.loads(capsys.readouterr().out)
    assert (values["labels"], values["images"]) == (found["results"][0]["labels"], NUMBER)


def test_a_run_that_was_interrupted_goes_on(weights: Path, tmp_path: Path) -> None:
    whole = measure(weights)
    broken, content = tmp_path / "13.png", (tmp_path / "13.png").read_bytes()
    broken.write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"13.png: can't be decoded(.|\n)*10 of 24 images are kept"):
        measure(weights, out=tmp_path / "out")
    broken.write_bytes(content)
    with pytest.raises(EvaluationError, match="has changed since|holds 10 records of an interrupted run"):
        measure(weights, out=tmp_path / "out")
    again = measure(weights, out=tmp_path / "out", resume=True)
    assert _timeless(again) == _timeless(whole)
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == [stored_file(tmp_path).name]


def _timeless(result: LabelResult) -> LabelResult:
    return dataclasses.replace(result, date="", seconds=0.0)


def test_every_image_once_in_the_order_of_the_set() -> None:
    records = np.zeros(4, label_record(2))
    records["protocol"], records["index"] = [0, 0, 1, 1], [1, 0, 0, 1]
    records["logits"] = [[1, 2], [3, 4], [5, 6], [7, 8]]
    records["truncated"] = [True, False, False, False]
    found = collect([records[:2], records[2:]], 2, 2, protocol=0)
    assert (found.logits.tolist(), found.times_scored.tolist(), found.truncated) == ([[3, 4], [1, 2]], [1, 1], [1])
    assert collect([records], 2, 2, protocol=1).logits.tolist() == [[5, 6], [7, 8]]


def test_a_network_that_computes_nothing() -> None:
    numbers = torch.tensor([1, 0])
    batch = Batch(numbers, torch.zeros(2, 1, 1, 1), numbers, {}, numbers.bool())
    found = label_records_of([lambda: torch.tensor([[1.0, 2.0], [3.0, 4.0]])], [batch])
    assert (found["index"].tolist(), found["logits"].tolist()) == ([0, 1], [[3, 4], [1, 2]])
    assert found["truncated"].tolist() == [False, True]
    with pytest.raises(EvaluationError, match="NaN or infinity"):
        label_records_of([lambda: torch.full((2, 2), math.nan)], [batch])


def test_the_end_of_a_run_in_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logits of both, the seconds of the slower one; of a sample, how many images there are in all."""
    records = np.zeros(3, label_record(1))
    records["index"], records["logits"] = [2, 0, 1], [[0.3], [0.1], [0.2]]
    images = dataclasses.replace(example_images(3), label_sets=[(), (0,), (0,)])

    def gather(own: object) -> list[object]:
        return [own, 7.5] if isinstance(own, float) else [own, [records[1:]]] if isinstance(own, list) else [own]

    monkeypatch.setattr(distributed, "gather", gather)
    with RecordLog(tmp_path / "state", {}, record=records.dtype) as log:
        log.append(records[:1], 1.0)
        protocol, facts = get_protocol("none"), example_facts(sampled_from=10)
        (result,) = finish_labels(log, images, [protocol], ["cat"], facts, StoreOptions())
    assert (result.mean_auc, result.seconds, result.coverage) == (1.0, 7.5, Coverage(10, 3, (), 0))
    assert not (tmp_path / "state").exists()


def test_a_sample_is_told_as_one_and_stored_nowhere(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = ("test", weights, "--label-table", tmp_path / "labels.csv", "--data-root", tmp_path, "--workers", 0)
    assert tool(*common, "--out", tmp_path / "out", "--limit", 10, "--device", "cpu") == 0
    shown = capsys.readouterr().out
    assert "  A SAMPLE: 10 of 24 images" in shown
    assert "not stored, because of --limit" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_error": "count-wrong"}, "for an area no image is wrong"),
        ({"class_map": "x"}, "--class-map is for one class an image"),
        ({"subset": "fog/1"}, "--subset is for one class an image"),
        ({"dataset": "imagenet1k"}, "--label-table is for dataset 'imagefolder', found 'imagenet1k'"),
    ],
)
def test_what_means_nothing_for_labels(weights: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        measure(weights, **options)


def test_a_top_1_is_not_to_be_had(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("test", weights, "--data-root", tmp_path, "--workers", 0) == 1
    assert "there is no top-1 to measure; --label-table FILE.csv measures the area" in capsys.readouterr().err
    assert tool("test", weights, "--label-table", "labels.csv", "--expect", 90) == 1
    assert "--expect is a top-1, and with --label-table there is none" in capsys.readouterr().err
    measure(weights, predictions=tmp_path / "p.parquet")
    for option, what in (
        (["--plot", tmp_path / "a.png"], "--plot"),
        (["--topk", 3], "--topk"),
        ([tmp_path / "p.parquet"], "second file"),
    ):
        assert tool("analyze", tmp_path / "p.parquet", *option) == 1
        assert f"several labels each, for which there is no {what}; leave it out" in capsys.readouterr().err


def test_probabilities_are_each_label_s_own(
    tool: Tool, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("predict", weights, tmp_path / "00.png", "--workers", 0, "--json") == 0
    (found,) = json.loads(capsys.readouterr().out)["predictions"]
    probabilities = {answer["name"]: answer["probability"] for answer in found["answers"]}
    _, logits = independent_logits(weights)
    expected = 1 / (1 + np.exp(-logits[0].astype(np.float64)))
    assert [probabilities[name] for name in NAMES] == pytest.approx(expected.tolist(), abs=1e-6)
