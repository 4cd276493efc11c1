"""The first steps of a recipe: they are the training's own, and each has its time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from small_training import CONFIG, SMALL, of_few_images, train

from densezoo import api
from densezoo.api.first_steps import in_own_process, measure_first_steps
from densezoo.benchmarks.first_steps import FirstSteps
from densezoo.benchmarks.inference import Settings
from densezoo.errors import BenchmarkError
from densezoo.training.logs import read_records

ALL = {**SMALL, "train.epochs": 2, "train.mixup": 0.5, "train.accumulate": 2, "train.ema": 0.9}


def test_they_are_the_training_s_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of_few_images(monkeypatch)
    trained = read_records(train(tmp_path, ALL).parent / "log.jsonl")
    found = in_own_process(CONFIG, None, "cpu", 1, 5, ALL)
    assert isinstance(found, FirstSteps)
    assert list(found.losses) == [record["loss"] for record in trained if record["event"] == "step"][:5]
    assert (found.images, found.side, found.precision, len(found.seconds)) == (24, 8, "float32", 5)
    assert min(found.seconds) > 0
    assert found.peak_memory > 10**8


def test_noise_has_the_place_of_images_that_are_not_here() -> None:
    config = Path("configs/cifar/densenet_40_12_cifar10plus.py")
    tiny = {"model.growth_rate": 2, "model.block_config": (1, 1), "train.batch_size": 12}
    found = in_own_process(config, None, "cpu", 1, 2, tiny)
    assert isinstance(found, FirstSteps)
    assert found.side == 32
    assert found.losses[0] == pytest.approx(2.3, abs=0.5)
    assert str(in_own_process(config, "nowhere", "cpu", 1, 2, tiny)).startswith("nowhere: there is no such file or f")


def test_what_a_record_would_not_say_is_refused() -> None:
    with pytest.raises(BenchmarkError, match="model.growth_rate: the steps of a config's own network are taken"):
        measure_first_steps(CONFIG, Settings([]), overrides=SMALL)
    with pytest.raises(BenchmarkError, match="--instruction-set: the steps of a training are taken with the best"):
        measure_first_steps(CONFIG, Settings([], instruction_set="avx2"))


def test_an_interruption_ends_the_process_of_the_steps() -> None:
    """SIGTERM reaches the command alone; the steps of its process, of half a minute here, were waited for."""
    config = "configs/cifar/densenet_40_12_cifar10plus.py"

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    handler = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 1)
    started = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            measure_first_steps(config, Settings([], threads=1), steps=12)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
    assert time.monotonic() - started < 15


@pytest.mark.slow
def test_as_a_benchmark(tmp_path: Path) -> None:
    path, benchmark = api.benchmark_steps(str(CONFIG), Settings([]), steps=3, folder=tmp_path)
    assert path.parent == tmp_path
    (contestant,) = benchmark.contestants
    assert (len(contestant.losses), contestant.note, benchmark.image_size) == (3, "digits", 8)
    with pytest.raises(BenchmarkError, match="898 training images, fewer than one batch of 1000"):
        api.benchmark_steps(str(CONFIG), Settings([]), overrides={"train.batch_size": 1000}, folder=tmp_path)


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_so(tmp_path: Path) -> None:
    """The own process runs the script anew: it would start another one."""
    script = tmp_path / "script.py"
    script.write_text(
        "from densezoo.api.first_steps import measure_first_steps\n"
        "from densezoo.benchmarks.inference import Settings\n"
        f"measure_first_steps({str(CONFIG)!r}, Settings(()))\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    own, _, waiting = done.stderr.partition("Traceback")
    assert own.startswith("error: the script that takes first steps needs its work below if __name__ == '__main__'")
    assert "A script that asks for this needs its work below if __name__ == '__main__'" in waiting
