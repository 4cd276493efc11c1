"""Whole evaluations: unreadable images, resuming, memory, places that can't be written."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import forked
import numpy as np
import pytest
from PIL import Image
from small_run import BROKEN, Evaluate, numbers, small_run

from densezoo import api
from densezoo.data.contents import content_digests
from densezoo.errors import ConfigError, EvaluationError, ImageError, ResultError
from densezoo.evaluation import hashing
from densezoo.types import Coverage

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    return small_run(tmp_path)


def state(tmp_path: Path) -> Path:
    (found,) = tmp_path.glob("out/*/.*.state")
    return found


def test_an_unreadable_file_stops_the_run(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    with pytest.raises(ImageError, match=f"{BROKEN}: can't be decoded"):
        evaluate()


def test_a_protocol_that_decodes_on_a_gpu_needs_one(evaluate: Evaluate, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="protocol timm-nvjpeg decodes on a GPU, .*: give --device cuda"):
        evaluate(names=["timm-nvjpeg"])
    assert not list(tmp_path.glob("out/*/*"))


@pytest.mark.parametrize("workers", [0, 2])
def test_or_it_is_counted_wrong_and_listed(
    evaluate: Evaluate, tmp_path: Path, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    evaluate(predictions=tmp_path / "whole.parquet")
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    (result,) = evaluate(on_error="count-wrong", workers=workers, predictions=tmp_path / "broken.parquet")
    assert result.coverage is not None
    assert result.coverage == Coverage(expected=12, scored=11, unreadable=(BROKEN,), duplicated=0)
    assert result.num_samples == 12
    assert any(f"counted wrong: {tmp_path}/val/{BROKEN}" in message for message in caplog.messages)
    assert "1 images can't be read and are counted wrong" in api.analyze(tmp_path / "broken.parquet", topk=[1])


def test_each_protocol_has_what_its_own_library_can_read(evaluate: Evaluate, tmp_path: Path) -> None:
    path = tmp_path / "val" / BROKEN
    Image.fromarray(np.zeros((30, 40), np.uint8)).save(path.with_suffix(".gif"))
    path.with_suffix(".gif").rename(path)  # a GIF, which Pillow reads
    results = evaluate(names=["torchvision", "torch7"], on_error="count-wrong")
    found = {result.protocol: result.coverage.unreadable for result in results if result.coverage}
    assert found["torchvision"] == ()
    assert all(result.num_samples == 12 for result in results)


@pytest.mark.parametrize("cached", [False, True])
def test_a_truncated_image_is_read_as_its_library_does_and_named(
    evaluate: Evaluate, tmp_path: Path, cached: bool
) -> None:
    """``cv2.imread``, by which the keras protocol goes, fills in what is missing; Pillow refuses it."""
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    Image.fromarray(noise).save(whole, "JPEG")
    (tmp_path / "val" / BROKEN).unlink()
    cut = (tmp_path / "val" / BROKEN).with_suffix(".jpg")
    cut.write_bytes(whole.getvalue()[:-2000])
    with pytest.raises(ImageError, match="8.jpg: can't be decoded"):
        evaluate(out=None)
    options = {"cache": tmp_path / "pixels"} if cached else {}
    for _ in range(2):
        (result,) = evaluate(names=["keras"], predictions=tmp_path / "p.parquet", **options)
        assert result.coverage == Coverage(12, 12, (), 0, ("c/8.jpg",))
    assert "1 images are truncated; their missing ends" in api.analyze(tmp_path / "p.parquet", topk=[1])


def test_resumed_where_it_was_it_gives_the_numbers_of_an_undisturbed_run(evaluate: Evaluate, tmp_path: Path) -> None:
    (whole,) = evaluate(out=tmp_path / "undisturbed")
    intact = (tmp_path / "val" / BROKEN).read_bytes()
    (tmp_path / "val" / BROKEN).write_bytes(b"broken")
    with pytest.raises(
        ImageError,
        match="(?s)can't be decoded.*10 of 12 images are kept in .*: when that is mended, the same command with --res",
    ):
        evaluate()
    kept = state(tmp_path).read_bytes()
    (tmp_path / "val" / BROKEN).write_bytes(intact)  # as the message says; what was scored is what it was
    with pytest.raises(EvaluationError, match="batch_size was 2, is 3"):
        evaluate(resume=True, batch_size=3)
    with pytest.raises(EvaluationError, match="10 records of an interrupted run; .*--resume.*--restart"):
        evaluate()
    assert state(tmp_path).read_bytes() == kept
    (resumed,) = evaluate(resume=True)
    assert numbers(resumed) == numbers(whole)
    assert os.listdir(tmp_path / "out" / "imagefolder") == os.listdir(tmp_path / "undisturbed" / "imagefolder")


def test_what_stopped_a_run_can_be_counted_wrong_by_the_next(evaluate: Evaluate, tmp_path: Path) -> None:
    last = tmp_path / "val" / "c/11.png"
    last.write_bytes(b"broken")
    with pytest.raises(ImageError):
        evaluate()
    (resumed,) = evaluate(resume=True, on_error="count-wrong")
    (whole,) = evaluate(on_error="count-wrong", out=tmp_path / "undisturbed")
    assert numbers(resumed) == numbers(whole)


def test_a_changed_image_is_not_resumed(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "val" / BROKEN).write_bytes(b"broken")
    with pytest.raises(ImageError):
        evaluate()
    (tmp_path / "val" / "a/1.png").write_bytes((tmp_path / "val" / "a/2.png").read_bytes())
    with pytest.raises(EvaluationError, match="val/a/1.png: has changed since it was scored; .*--restart"):
        evaluate(resume=True, on_error="count-wrong")
    (restarted,) = evaluate(restart=True, on_error="count-wrong")
    (whole,) = evaluate(on_error="count-wrong", out=tmp_path / "undisturbed")
    assert numbers(restarted) == numbers(whole)


def test_two_datasets_of_equal_names_and_sizes(evaluate: Evaluate, tmp_path: Path) -> None:
    """Uncompressed pictures: neither the fingerprint nor the cache of pixels takes one for the other."""
    results = {}
    for name, seed in (("one", 0), ("other", 100)):
        for i in range(6):
            path = tmp_path / name / "abc"[i // 2] / f"{i}.bmp"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.random.default_rng(seed + i).integers(0, 256, (30, 40, 3), np.uint8)).save(path)
        (alone,) = evaluate(data_root=tmp_path / name, out=None)
        (results[name],) = evaluate(data_root=tmp_path / name, out=None, cache=tmp_path / "pixels")
        assert numbers(results[name]) == numbers(alone)
    assert results["one"].dataset_fingerprint != results["other"].dataset_fingerprint
    assert results["one"].loss != results["other"].loss


def test_two_runs_on_one_folder(evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second, in another process, is told who holds it; the first goes on."""
    seen = []

    def second_run(*arguments: Any) -> object:
        command: list[str | Path] = [REPOSITORY / "tools/test.py", "small.py", "small.safetensors"]
        command += ["--data-root", "val", "--workers", "0", "--device", "cpu", "--batch-size", "2", "--out", "out"]
        seen.append(forked.run(command, cwd=tmp_path))
        return content_digests(*arguments)

    monkeypatch.setattr(hashing, "content_digests", second_run)
    (result,) = evaluate()
    assert result.num_samples == 12
    (second,) = seen
    assert second.returncode == 1
    assert f"held by process {os.getpid()} on " in second.stderr
    assert "choose another folder" in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_an_interrupted_run_says_what_is_kept_and_how_to_go_on(tmp_path: Path, number: int, status: int) -> None:
    config, checkpoint = map(str, api.DEMO)
    command = [str(REPOSITORY / "tools/test.py"), config, checkpoint, "--out", str(tmp_path)]
    command += ["--workers", "0", "--batch-size", "1", "--device", "cpu"]
    with forked.Forked(command) as process:
        while not (states := list(tmp_path.glob("*/.*.state"))) or states[0].stat().st_size < 5000:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        shown = process.communicate(timeout=100)[1]
    assert process.returncode == status
    assert re.search(r"interrupted: \d+ of 899 images are kept in .*state: the same command with --resume", shown)
    assert "Traceback" not in shown
    done = forked.run([*command, "--resume"])
    assert done.returncode == 0, done.stderr
    assert "885 of 899" in done.stdout


def test_no_room_is_an_error_before_the_work(
    evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(ResultError, match="expected room for 1,049,428 bytes of state and results, found 1,000"):
        evaluate()
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="results can't be stored there .*choose another folder"):
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
from densezoo import api
from densezoo.config import load_config
from densezoo.api import conversion, plan
from densezoo.config import load_config
from densezoo.evaluation.options import RunOptions, StoreOptions
from densezoo.evaluation.run import Plan, run
from densezoo.types import RunFacts
from densezoo.data.images import ImageSet
from densezoo.protocols import get_protocol
from densezoo.families.densenet.architecture import DenseNetArchitecture

@dataclass(frozen=True)
class Endless(ImageSet):
    def read(self, index):
        return np.full((8, 8), index % 255, np.uint8)

torch.set_num_threads(1)
experiment = load_config(api.DEMO[0])
model, _ = api.load_checkpoint(api.DEMO[1])
texts = ("model", "config", "weights_sha256", "dataset_fingerprint", "commit", "date")
known = {"dataset": "endless", "versions": {}, "device": "cpu", "protocol": "digits"}
facts = RunFacts(**dict.fromkeys(texts, ""), **known, backend="eager", precision="float32")
store = StoreOptions(Path(sys.argv[1]), predictions=Path(sys.argv[1]) / "p.parquet")
options = RunOptions(50, workers=0)
protocols = [get_protocol("digits")]
for number in (1_000, 10_000):
    images = Endless("", [str(i) for i in range(number)], [i % 10 for i in range(number)])
    (result,) = run(Plan(model, experiment.model, protocols, [None], lambda _: images, facts, options), store)
    assert result.num_samples == number
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    """Ten times the images, at most 4 MiB more: ids, labels and the certificate's counters. Pixels alone are 16 MiB."""
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    peaks = [int(line) / 1024 for line in done.stdout.splitlines() if line.isdecimal()]
    assert peaks[1] - peaks[0] < 4, peaks


def test_kill_minus_nine_and_resume(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, checkpoint = api.DEMO
    options = ("--device", "cpu", "--workers", 0, "--batch-size", 2)
    assert tool("test", config, checkpoint, *options, "--out", tmp_path / "undisturbed") == 0
    (reference,) = tmp_path.glob("undisturbed/*/*.json")
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: forked.Forked(command[1:]))
    monkeypatch.setattr(subprocess, "run", lambda command, check: forked.run(command[1:]).check_returncode())
    fixed = ("--kills", 2, "--reference", reference, "--out", tmp_path / "killed")
    assert tool("kill_and_resume", *fixed, "--", config, checkpoint, *options) == 0
    assert "2 kills: " in capsys.readouterr().out
    found, expected = (json.loads(path.read_text()) for path in (*tmp_path.glob("killed/*/*.json"), reference))
    for key in ("correct1", "correct5", "loss", "calibration_error", "coverage"):
        assert found[key] == expected[key]
    assert os.listdir(tmp_path / "killed" / "digits") == [reference.name]
