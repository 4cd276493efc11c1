"""Whole evaluations: unreadable images, resuming, memory, places that can't be written."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo import api
from densezoo.errors import EvaluationError, ImageError, ResultError
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import EvalResult

CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=3)
dataset = "imagefolder"
protocol = "torchvision"
"""
BROKEN = "b/5.png"


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[..., list[EvalResult]]:
    """evaluate(**options): a small network on 12 images of 3 classes."""
    torch.manual_seed(0)
    (tmp_path / "small.py").write_text(CONFIG)
    network = api.create_model(api.load_config(tmp_path / "small.py").model)
    write_safetensors(tmp_path / "small.safetensors", network.state_dict(), {})
    for i in range(12):
        path = tmp_path / "val" / "abc"[i // 4] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (30, 40, 3), np.uint8)).save(path)

    def run(**options: object) -> list[EvalResult]:
        fixed = {"data_root": tmp_path / "val", "workers": 0, "device": "cpu", "batch_size": 2, "out": tmp_path / "out"}
        return api.evaluate_protocols(tmp_path / "small.py", tmp_path / "small.safetensors", **{**fixed, **options})

    return run


def numbers(result: EvalResult) -> dict[str, object]:
    return {key: value for key, value in vars(result).items() if key not in ("date", "seconds")}


def state(tmp_path: Path) -> Path:
    (found,) = tmp_path.glob("out/*/.*.state")
    return found


def test_an_unreadable_file_stops_the_run(evaluate: Callable[..., list[EvalResult]], tmp_path: Path) -> None:
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    with pytest.raises(ImageError, match=f"{BROKEN}: can't be decoded"):
        evaluate()


@pytest.mark.parametrize("workers", [0, 2])
def test_or_it_is_counted_wrong_and_listed(
    evaluate: Callable[..., list[EvalResult]], tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(predictions=tmp_path / "whole.parquet")
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    (result,) = evaluate(on_error="count-wrong", workers=workers, predictions=tmp_path / "broken.parquet")
    assert result.coverage is not None
    assert vars(result.coverage) == {"expected": 12, "scored": 11, "unreadable": (BROKEN,), "duplicated": 0}
    assert result.num_samples == 12
    assert any(f"counted wrong: {tmp_path}/val/{BROKEN}" in message for message in caplog.messages)
    assert "1 images can't be read and are counted wrong" in api.analyze(tmp_path / "broken.parquet", topk=[1])


def test_each_protocol_has_what_its_own_library_can_read(
    evaluate: Callable[..., list[EvalResult]], tmp_path: Path
) -> None:
    path = tmp_path / "val" / BROKEN
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(path.with_suffix(".gif"))
    path.with_suffix(".gif").rename(path)  # a GIF, which Pillow reads
    results = evaluate(names=["torchvision", "torch7"], on_error="count-wrong")
    found = {result.protocol: result.coverage.unreadable for result in results if result.coverage}
    assert found["torchvision"] == ()
    assert all(result.num_samples == 12 for result in results)


def test_resumed_where_it_was_it_gives_the_numbers_of_an_undisturbed_run(
    evaluate: Callable[..., list[EvalResult]], tmp_path: Path
) -> None:
    (whole,) = evaluate(out=tmp_path / "undisturbed")
    (tmp_path / "val" / BROKEN).rename(tmp_path / "aside")
    (tmp_path / "val" / BROKEN).write_bytes(b"x" * (tmp_path / "aside").stat().st_size)
    with pytest.raises(ImageError):
        evaluate()
    kept = state(tmp_path).read_bytes()
    (tmp_path / "val" / BROKEN).write_bytes((tmp_path / "aside").read_bytes())
    with pytest.raises(EvaluationError, match="batch_size was 2, is 3"):
        evaluate(resume=True, batch_size=3)
    assert state(tmp_path).read_bytes() == kept
    (resumed,) = evaluate(resume=True)
    assert numbers(resumed) == numbers(whole)
    assert not list(tmp_path.glob("out/*/.*"))


def test_no_room_is_an_error_before_the_work(
    evaluate: Callable[..., list[EvalResult]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ResultError, match="expected room for 1,049,320 bytes of state and results, found 1,000"):
        evaluate()
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="results can't be stored there .*choose another --out"):
        evaluate(out=tmp_path / "file")
    with pytest.raises(EvaluationError, match=r"p.parquet: predictions can't be written there .No such file"):
        evaluate(predictions=tmp_path / "nowhere" / "p.parquet")
    with pytest.raises(ResultError, match="can't be stored there"):
        evaluate(out=Path("/proc/results"))  # read-only for everybody


MEMORY = """
import resource, sys
import numpy as np, torch
from dataclasses import dataclass
from pathlib import Path
from densezoo import api, measure
from densezoo.data.images import ImageSet
from densezoo.types import Architecture

@dataclass(frozen=True)
class Endless(ImageSet):
    def read(self, index):
        return np.full((8, 8), index % 255, np.uint8)
    def content(self, index):
        return b""

torch.set_num_threads(1)
number = int(sys.argv[1])
images = Endless("", [str(i) for i in range(number)], [i % 10 for i in range(number)])
experiment = api.load_config(api.DEMO[0])
model, _ = api.load_checkpoint(api.DEMO[1])
texts = ("model", "config", "weights_sha256", "dataset_fingerprint", "backend", "precision", "commit")
about = dict.fromkeys(texts, "")
about |= {"dataset": "endless", "versions": {}, "device": "cpu", "date": ""}
storing = measure.Storing(Path(sys.argv[2]), predictions=Path(sys.argv[2]) / "p.parquet")
(protocol,) = [api.protocols.get_protocol("digits")]
(result,) = measure.results(model, images, [protocol], experiment.model, "cpu", about, measure.Loading(50), storing)
assert result.num_samples == number
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """Ten times the images, at most 4 MiB more: ids, labels and the certificate's counters. Pixels alone are 16 MiB."""
    peaks = []
    for number in (1_000, 10_000):
        command = [sys.executable, "-c", MEMORY, str(number), str(tmp_path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        peaks.append(int(done.stdout) / 1024)
    assert peaks[1] - peaks[0] < 4, peaks


def test_kill_minus_nine_and_resume(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, checkpoint = api.DEMO
    options = ("--device", "cpu", "--workers", 0, "--batch-size", 2)
    assert tool("test", config, checkpoint, *options, "--out", tmp_path / "undisturbed") == 0
    (reference,) = tmp_path.glob("undisturbed/*/*.json")
    fixed = ("--kills", 3, "--reference", reference, "--out", tmp_path / "killed")
    assert tool("kill_and_resume", *fixed, "--", config, checkpoint, *options) == 0
    assert "3 kills: " in capsys.readouterr().out
    found, expected = (json.loads(path.read_text()) for path in (*tmp_path.glob("killed/*/*.json"), reference))
    for key in ("correct1", "correct5", "loss", "calibration_error", "coverage"):
        assert found[key] == expected[key]
    assert os.listdir(tmp_path / "killed" / "digits") == [reference.name]
