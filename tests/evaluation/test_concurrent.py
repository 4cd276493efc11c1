"""Threads that decode and compute: the results and errors are those of one thread alone, to the bit."""

from __future__ import annotations

import io
import itertools
import os
import re
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import concurrent_backends
import forked
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from small_run import BROKEN, Evaluate, numbers, small_run

from densezoo import api
from densezoo.backends import base
from densezoo.data.loading import ImagePixels
from densezoo.errors import DatasetError, ImageError
from densezoo.evaluation import concurrent, record_log, stream
from densezoo.evaluation.concurrent import Groups, group_size
from densezoo.evaluation.metrics import RECORD
from densezoo.types import Coverage, EvalResult

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def evaluate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    monkeypatch.setattr(base, "BACKENDS", concurrent_backends.entries())
    monkeypatch.setattr(concurrent, "PIXELS", 224 * 224)  # so that small sets are many groups
    concurrent_backends.seen.clear()
    concurrent_backends.calls.clear()
    return small_run(tmp_path)


@given(st.integers(0, 300), st.integers(1, 70), st.integers(1, 70))
def test_groups_are_the_images_in_order(num_images: int, step: int, group: int) -> None:
    groups = Groups(num_images, step, group)
    parts = [groups[number] for number in range(len(groups))]
    assert list(itertools.chain(*parts)) == list(range(num_images))
    assert all(1 <= len(part) <= group and part[0] // step == part[-1] // step for part in parts)
    ends = [part[-1] + 1 for number, part in enumerate(parts) if groups.is_last(number)]
    assert ends == [min(end, num_images) for end in range(step, num_images + step, step)]


def test_small_images_come_in_larger_groups() -> None:
    assert [group_size(side, side) for side in (1000, 224, 32, 8)] == [1, 4, 64, 64]


def measured(results: list[EvalResult]) -> list[dict[str, object]]:
    """All that was measured."""
    return [{**numbers(result), "backend": None, "backend_difference": None} for result in results]


OPTIONS: dict[str, dict[str, object]] = {
    "views": {"tta": "flip"},
    "protocols": {"names": ["torchvision", "keras", "torch7"]},
    "steps of other sizes": {"batch_size": 5},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_threads_measure_what_one_alone_does(evaluate: Evaluate, tmp_path: Path, options: dict[str, object]) -> None:
    with_eager = evaluate(out=None, backend="eager", **{**options, "batch_size": 1})
    alone = evaluate(out=tmp_path / "alone", backend="unsteady", **options)
    for workers in (1, 3):
        assert measured(evaluate(out=None, backend="unsteady", workers=workers, **options)) == measured(alone)
    assert measured(alone) == measured(with_eager)
    assert max(concurrent_backends.calls) >= 2, "images come together"


def test_the_log_is_the_same_to_the_byte(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    logs: list[list[bytes]] = []
    append = record_log.RecordLog.append

    def noted(log: record_log.RecordLog, records: np.ndarray, seconds: float) -> None:
        logs[-1].append(records.tobytes())
        append(log, records, seconds)

    monkeypatch.setattr(record_log.RecordLog, "append", noted)
    for backend, workers in (("eager", 0), ("unsteady", 0), ("unsteady", 3)):
        logs.append([])
        evaluate(out=None, backend=backend, workers=workers, names=["torchvision", "keras"], batch_size=1)
        logs.append([])
        evaluate(out=None, backend=backend, workers=workers, names=["torchvision", "keras"], batch_size=5)
    by_ones, by_fives = logs[::2], logs[1::2]
    assert [len(log) for log in by_ones] == [12] * 3
    assert [len(log) for log in by_fives] == [3] * 3
    assert by_ones[0] == by_ones[1] == by_ones[2]
    assert by_fives[1] == by_fives[2]
    places = [[np.frombuffer(step, RECORD)[["protocol", "index"]].tolist() for step in log] for log in by_fives]
    assert places[0] == places[1], "ordered by protocol, then by image, as batches are"


def test_they_are_as_many_as_asked_for_and_torch_computes_with_one_in_each(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # the check against eager has threads of its own
    monkeypatch.setattr(base, "_each", lambda parts, backend: [backend(part) for part in parts])
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        for workers, expected in ((2, 2), (None, 3)):
            concurrent_backends.seen.clear()
            evaluate(out=None, backend="slow", workers=workers)
            others = {(name, number) for name, number in concurrent_backends.seen if name != "MainThread"}
            assert len(others) == expected
            assert {number for _, number in others} == {1}
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_broken_image_stops_them_where_it_stops_one_alone(evaluate: Evaluate, tmp_path: Path) -> None:
    intact = (tmp_path / "val" / BROKEN).read_bytes()
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    with pytest.raises(ImageError, match=f"(?s){BROKEN}: can't be decoded.*10 of 12 images are kept in .*--resume"):
        evaluate(backend="unsteady", workers=3)
    (tmp_path / "val" / BROKEN).write_bytes(intact)
    (resumed,) = evaluate(backend="unsteady", workers=2, resume=True)
    (whole,) = evaluate(backend="unsteady", out=tmp_path / "undisturbed")
    assert numbers(resumed) == numbers(whole)


def test_or_it_is_counted_wrong(evaluate: Evaluate, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "val" / BROKEN).write_bytes(b"no image")
    (tmp_path / "val" / "a/1.png").write_bytes(b"nor is this")
    (result,) = evaluate(backend="unsteady", workers=3, on_error="count-wrong")
    assert result.coverage == Coverage(12, 10, ("a/1.png", BROKEN), 0)
    named = [re.sub(": can't.*", "", message) for message in caplog.messages if "counted wrong" in message]
    assert list(dict.fromkeys(named)) == [
        f"warning: counted wrong: {tmp_path}/val/{name}" for name in ("a/1.png", BROKEN)
    ]


def test_a_truncated_image_and_the_cache(evaluate: Evaluate, tmp_path: Path) -> None:
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (80, 90, 3), np.uint8)
    Image.fromarray(noise).save(whole, "JPEG")
    (tmp_path / "val" / BROKEN).unlink()
    (tmp_path / "val" / "c/8.jpg").write_bytes(whole.getvalue()[:-2000])
    alone = measured(evaluate(out=None, names=["keras"], backend="exact"))
    assert alone[0]["coverage"] == Coverage(12, 12, (), 0, ("c/8.jpg",))
    for _ in range(2):
        cached = evaluate(out=None, names=["keras"], backend="unsteady", workers=3, cache=tmp_path / "pixels")
        assert measured(cached) == alone
    assert len(list((tmp_path / "pixels").iterdir())) == 1


def test_an_image_that_changes_meanwhile(evaluate: Evaluate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def changing(*arguments: object, **options: object) -> object:
        (tmp_path / "val" / BROKEN).write_bytes((tmp_path / "val" / "a/1.png").read_bytes())
        return ImagePixels(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(stream, "ImagePixels", changing)
    with pytest.raises(DatasetError, match=f"(?s){BROKEN}: is no longer what it was.*10 of 12 images are kept"):
        evaluate(backend="unsteady", workers=3)


def test_what_a_backend_raises_in_a_thread_ends_the_run(evaluate: Evaluate, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="out of registers"):
        evaluate(backend="failing", workers=1)  # of two, the first image's may fail, and nothing be kept
    (state,) = tmp_path.glob("out/*/.*.state")  # is kept for --resume
    assert state.stat().st_size > 1000


INTERRUPTED = """
import sys
sys.path.insert(0, {tests!r})
import concurrent_backends
from densezoo.backends import base
base.BACKENDS.update(concurrent_backends.entries())
from densezoo.commands import test
sys.exit(test.main(sys.argv[1:]))
"""


@pytest.mark.slow  # two starts of the command; tests/test_threads.py interrupts the threads alone
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interrupted_run_goes_on(tmp_path: Path, number: int, status: int) -> None:
    config, checkpoint = map(str, api.DEMO)
    command = ["-c", INTERRUPTED.format(tests=str(REPOSITORY / "tests")), config, checkpoint]
    command += ["--workers", "2", "--batch-size", "10", "--device", "cpu", "--out", str(tmp_path)]
    with forked.Forked([*command, "--backend", "slow"]) as process:
        while not (states := list(tmp_path.glob("*/.*.state"))) or states[0].stat().st_size < 5000:
            assert process.poll() is None
            time.sleep(0.005)
        process.send_signal(number)
        shown = process.communicate(timeout=100)[1]
    assert process.returncode == status, shown
    assert re.search(r"interrupted: \d+ of 899 images are kept in .*state: the same command with --resume", shown)
    assert "Traceback" not in shown
    again, quick = [*command, "--backend", "slow", "--resume"], {**os.environ, "CALL_SECONDS": "0"}
    done = forked.run(again, env=quick)
    assert done.returncode == 0, done.stderr
    assert "885 of 899" in done.stdout


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    """Nothing of a run is left: no thread that goes on."""
    before = set(threading.enumerate())
    yield
    assert [thread for thread in threading.enumerate() if thread not in before and thread.name != "watch"] == []
