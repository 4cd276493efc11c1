"""What is measured of a running program: images a second, single calls, and the machine's matrix products."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import torch
from torch import Tensor

from densezoo.benchmarks.programs import AUTOCAST, Running, wait

CEILING_SIDE = 2048  # of the square matrices whose product is the ceiling
FMA = "fma"  # in place of a precision: fused multiply-adds in registers
_FMA_ROUNDS = 1_000_000  # of the engine's loop in one call: some milliseconds


def random_pixels(number: int, channels: int, side: int) -> Tensor:
    """Noise (number, channels, side, side) uint8, always the same.

    Args:
        number, channels: of images and of their channels.
        side: of the images in pixels.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (number, channels, side, side), dtype=torch.uint8, generator=generator)


def throughput(program: Running, pixels: Tensor, seconds: float, threads: int) -> tuple[int, float]:
    """(images, seconds) of a program that computes one batch after another, on as many threads as it can use.

    Args:
        program: that runs.
        pixels: the batch, (N, C, H, W) uint8.
        seconds: to measure for; the call that is running then is finished.
        threads: that call a concurrent program; another one is called from this thread alone.
    """
    prepared = program.prepare(pixels)
    program(prepared)  # what is done once for a shape
    calls: list[int] = []
    start = time.perf_counter()

    def compute() -> None:
        done = 0
        while done == 0 or time.perf_counter() - start < seconds:
            program(prepared)
            done += 1
        calls.append(done)

    run_in_threads(compute, threads if program.concurrent else 1)
    return sum(calls) * len(pixels), time.perf_counter() - start


def run_in_threads(compute: Callable[[], None], threads: int) -> None:
    """Run a function in several threads at once; an error in one of them is raised here.

    Args:
        compute: the function.
        threads: how many; 1: this thread itself.
    """
    if threads == 1:
        return compute()
    errors: list[BaseException] = []

    def caught() -> None:
        try:
            compute()
        except BaseException as error:
            errors.append(error)

    running = [threading.Thread(target=caught) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if errors:
        raise errors[0]
    return None


def single_calls(program: Running, pixels: Tensor, seconds: float, calls: int) -> list[float]:
    """Seconds of each of a program's calls with one image, one call after another.

    Args:
        program: that runs.
        pixels: (1, C, H, W) uint8.
        seconds: to measure for, at least `calls` calls.
        calls: the fewest.
    """
    prepared = program.prepare(pixels)
    program(prepared)
    times: list[float] = []
    start = time.perf_counter()
    while len(times) < calls or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        program(prepared)
        times.append(time.perf_counter() - before)
    return times


def fused_multiply_adds(threads: int, seconds: float) -> float:
    """Multiply-adds a second in float32 in registers alone, by a loop of the native engine: what no program can pass.

    Args:
        threads: that run the loop.
        seconds: to measure for.

    Raises:
        BackendError: the native engine isn't built, or not for this processor.
    """
    from densezoo.backends.native.library import engine

    peak = engine().peak
    counts: list[float] = []
    start = time.perf_counter()

    def compute() -> None:
        done = 0.0
        while done == 0.0 or time.perf_counter() - start < seconds:
            done += peak(_FMA_ROUNDS) / 2
        counts.append(done)

    run_in_threads(compute, threads)
    return sum(counts) / (time.perf_counter() - start)


def matrix_products(device: str, precision: str, seconds: float) -> float:
    """Multiply-adds a second in products of two square matrices of CEILING_SIDE.

    Args:
        device: "cpu", "cuda", ...
        precision: "float32", "bf16" or "fp16".
        seconds: to measure for.
    """
    first = torch.ones(CEILING_SIDE, CEILING_SIDE, dtype=AUTOCAST.get(precision, torch.float32), device=device)
    product = first @ first
    wait(device)
    count, start = 0, time.perf_counter()
    while count == 0 or time.perf_counter() - start < seconds:
        torch.mm(first, first, out=product)
        wait(device)
        count += 1
    return count * CEILING_SIDE**3 / (time.perf_counter() - start)
