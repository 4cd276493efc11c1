"""The process of one contestant: ``python -m densezoo.benchmarks.worker``.

It reads requests from stdin and answers them on stdout, one line of JSON each: {"do": name of a function of ANSWERS,
its arguments} -> {"result": ...}, or {"error": message}. What libraries print goes to stderr.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.errors import DensezooError
from densezoo.results.machine import peak_memory

if TYPE_CHECKING:
    from torch import Tensor

    from densezoo.benchmarks.programs import Running
    from densezoo.benchmarks.task import Task
    from densezoo.types import JsonObject


class Worker:
    """Answers the requests; torch is imported by the first one."""

    program: Running  # of `start`
    task: Task

    def start(self, task: str) -> None:
        """Load a task's network and keep it.

        Args:
            task: of `Task.to_json`.
        """
        import torch

        from densezoo.benchmarks.programs import start
        from densezoo.benchmarks.task import Task

        self.task = Task.from_json(task)
        torch.set_num_threads(self.task.threads)
        self.program = start(self.task)

    def _pixels(self, number: int) -> Tensor:
        from densezoo.benchmarks.measuring import random_pixels

        return random_pixels(number, self.task.network.in_chans, self.task.image_size)

    def logits(self, number: int) -> list[list[float]]:
        """Logits of the same noise in every process.

        Args:
            number: of images.
        """
        logits: list[list[float]] = self.program(self.program.prepare(self._pixels(number))).float().cpu().tolist()
        return logits

    def throughput(self, batch: int, seconds: float) -> float:
        """Images a second (`densezoo.benchmarks.measuring.throughput`)."""
        from densezoo.benchmarks.measuring import throughput

        images, elapsed = throughput(self.program, self._pixels(batch), seconds, self.task.threads)
        return images / elapsed

    def latency(self, seconds: float, calls: int) -> list[float]:
        """Seconds of each call (`densezoo.benchmarks.measuring.single_calls`)."""
        from densezoo.benchmarks.measuring import single_calls

        return single_calls(self.program, self._pixels(1), seconds, calls)

    def ceiling(self, device: str, precision: str, seconds: float, threads: int) -> float:
        """Multiply-adds a second (`densezoo.benchmarks.measuring`: `matrix_products`, or `fused_multiply_adds`)."""
        import torch

        from densezoo.benchmarks.measuring import FMA, fused_multiply_adds, matrix_products

        torch.set_num_threads(threads)
        if precision == FMA:
            return fused_multiply_adds(threads, seconds)
        return matrix_products(device, precision, seconds)

    def training(self, task: str, batch: int, seconds: float) -> tuple[float, float]:
        """(images a second, loss of the first step) of training steps (`densezoo.benchmarks.training_step`)."""
        from densezoo.benchmarks.task import Task
        from densezoo.benchmarks.training_step import measure_steps

        return measure_steps(Task.from_json(task), batch, seconds)

    def training_memory(self, task: str, batch: int, seconds: float) -> tuple[float, float, int]:
        """(images a second, loss of the first step, bytes kept) (`densezoo.benchmarks.memory_step`)."""
        from densezoo.benchmarks.memory_step import measure_memory
        from densezoo.benchmarks.task import Task
        from densezoo.malloc import give_freed_memory_back

        try:
            return measure_memory(Task.from_json(task), batch, seconds)
        finally:
            gc.collect()
            give_freed_memory_back()  # a dozen processes wait side by side for their turns, 2 GB each

    def memory(self, device: str) -> int:
        """The largest memory so far, bytes: the process's, or the GPU's."""
        if device.startswith("cuda"):
            import torch

            return torch.cuda.max_memory_allocated(device)
        return peak_memory(Path("/proc/self/status").read_text(encoding="utf-8"))


#: The requests, by the names of their functions.
ANSWERS = ("start", "logits", "throughput", "latency", "ceiling", "training", "training_memory", "memory")


def answer(worker: Worker, line: str) -> Mapping[str, object]:
    """The answer to one request.

    Args:
        worker: that keeps the network.
        line: the request.
    """
    request: JsonObject = json.loads(line)
    function: Callable[..., object] = getattr(worker, ANSWERS[ANSWERS.index(request.pop("do"))])
    try:
        return {"result": function(**request)}
    except (DensezooError, ImportError) as error:
        return {"error": str(error)}
    except Exception as error:  # another package's; the benchmark goes on without it
        return {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"}


def main() -> None:
    """Answer every request until stdin ends."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    worker = Worker()
    for line in sys.stdin:
        print(json.dumps(answer(worker, line)), file=answers, flush=True)


if __name__ == "__main__":
    main()
