"""What is counted: images, calls, multiply-adds; by one thread or by several."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor

from densezoo.benchmarks.measuring import (
    CEILING_SIDE,
    fused_multiply_adds,
    matrix_products,
    random_pixels,
    run_in_threads,
    single_calls,
    throughput,
)


@dataclass
class Counting:
    """A program that says who called it."""

    concurrent: bool
    callers: list[int] = field(default_factory=list)

    def prepare(self, pixels: Tensor) -> Tensor:
        return pixels

    def __call__(self, prepared: Tensor) -> Tensor:
        self.callers.append(threading.get_ident())
        time.sleep(0.001)
        return prepared


def test_one_caller_at_a_time_unless_the_program_takes_several() -> None:
    alone = Counting(concurrent=False)
    images, seconds = throughput(alone, random_pixels(3, 1, 8), 0.02, threads=2)
    assert images == 3 * (len(alone.callers) - 1)  # the first call is not counted
    assert seconds >= 0.02
    assert set(alone.callers) == {threading.get_ident()}
    several = Counting(concurrent=True)
    images, _ = throughput(several, random_pixels(3, 1, 8), 0.02, threads=2)
    assert images == 3 * (len(several.callers) - 1)
    assert len(set(several.callers[1:])) == 2


def test_a_call_that_takes_longer_is_finished_and_counted() -> None:
    assert throughput(Counting(concurrent=False), random_pixels(5, 1, 8), 0.0, threads=1)[0] == 5


def test_single_calls_are_as_many_as_asked_for() -> None:
    program = Counting(concurrent=False)
    times = single_calls(program, random_pixels(1, 1, 8), 0.0, calls=7)
    assert len(times) == 7 == len(program.callers) - 1
    assert min(times) >= 0.001


def test_an_error_in_a_thread_is_raised() -> None:
    def fail() -> None:
        raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        run_in_threads(fail, 2)


def test_fused_multiply_adds_of_all_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    def peak(rounds: int) -> float:
        time.sleep(0.01)
        return 2.0 * rounds

    engine = SimpleNamespace(peak=peak)
    monkeypatch.setattr("densezoo.backends.native.library.engine", lambda: engine)
    monkeypatch.setattr("densezoo.benchmarks.measuring._FMA_ROUNDS", 1000)
    one, two = (fused_multiply_adds(threads, 0.0) for threads in (1, 2))
    assert 0 < one <= 1000 / 0.01
    assert 0 < two <= 2000 / 0.01


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_multiply_adds_of_matrix_products(monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    monkeypatch.setattr("densezoo.benchmarks.measuring.CEILING_SIDE", 64)
    kinds: list[torch.dtype] = []
    product = torch.mm

    def seen(first: Tensor, second: Tensor, out: Tensor) -> Tensor:
        kinds.append(first.dtype)
        return product(first, second, out=out)

    monkeypatch.setattr(torch, "mm", seen)
    start = time.perf_counter()
    rate = matrix_products("cpu", precision, 0.01)
    assert CEILING_SIDE == 2048
    assert set(kinds) == {torch.float32 if precision == "float32" else torch.bfloat16}
    assert len(kinds) * 64**3 / (time.perf_counter() - start) <= rate <= len(kinds) * 64**3 / 0.01
