"""What a benchmark measured, and on which machine; one JSON file in ``results/benchmarks/``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from densezoo.errors import ResultError

What = Literal["inference", "evaluation", "training", "memory", "steps"]
ITS_OWN = "its own choice"  # instruction set of a program that can't be held to one


@dataclass(frozen=True)
class Machine:
    """What a benchmark ran on.

    Args:
        cpu: its model.
        cores: that the process may use.
        instruction_sets: of `densezoo.results.machine.INSTRUCTION_SETS`, those that the CPU has.
        caches: {"L1d", "L2", "L3": bytes of one of them}.
        memory: bytes.
        gpu: its model; None: the benchmark used none.
    """

    cpu: str
    cores: int
    instruction_sets: tuple[str, ...]
    caches: Mapping[str, int]
    memory: int
    gpu: str | None = None


@dataclass(frozen=True)
class Load:
    """How busy the machine was.

    Args:
        before: load average of the last minute when the benchmark began.
        others: share of the cores' time, 0 to 1, that other processes took while it ran.
    """

    before: float
    others: float


@dataclass(frozen=True)
class Latency:
    """Seconds of single calls with one image.

    Args:
        p50, p90, p99: percentiles.
        calls: how many were measured.
    """

    p50: float
    p90: float
    p99: float
    calls: int


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """One program's figures; every field that was not measured is None or empty.

    Args:
        name: such as "densezoo native" or "timm channels-last".
        precision: that it computes in.
        instruction_set: that it was held to; "its own choice": it can't be held to one.
        rates: {batch size: images a second of each round, in the order of the rounds}; "": it chooses itself.
        latency: of one image at a time.
        peak_memory: largest resident memory of its process or processes, bytes; of a GPU that of the GPU.
        kept: bytes of the tensors that a training step keeps for backward, weights not among them.
        error: the largest difference of its logits from eager's in float32, relative to the largest logit.
        agreement: share of the images, 0 to 1, whose first class is the reference's; of whole evaluations.
        correct: images whose label was the first, and among the first five; of densezoo's whole evaluations.
        seconds: of each round, of whole evaluations.
        losses: of each step, of a training's first steps; each of them is a round.
        not_measured: why it has no figures; None: it has.
        note: what is to be known of it.
    """

    name: str
    precision: str = "float32"
    instruction_set: str
    rates: Mapping[str, tuple[float, ...]]
    latency: Latency | None = None
    peak_memory: int | None = None
    kept: int | None = None
    error: float | None = None
    agreement: float | None = None
    correct: tuple[int, int] | None = None
    seconds: tuple[float, ...] = ()
    losses: tuple[float, ...] = ()
    not_measured: str | None = None
    note: str | None = None

    @property
    def best_batch(self) -> str | None:
        """The batch size with the highest median rate; None: it has no figures."""
        if not self.rates:
            return None
        return max(self.rates, key=lambda batch: sorted(self.rates[batch])[len(self.rates[batch]) // 2])

    @property
    def best_rates(self) -> tuple[float, ...]:
        """Images a second of each round at `best_batch`; empty without figures."""
        return self.rates[self.best_batch] if self.best_batch is not None else ()


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One run of a benchmark of one model.

    Args:
        what: what was timed.
        model: the index's name, or the config's.
        instruction_set: that the figures stand under: "avx2", "avx512", "amx", or a GPU's name.
        device: "cpu", "cuda", ...
        threads: that every contestant computed with.
        image_size: side of the images in pixels.
        multiply_adds: of one image, in convolutions and classifier.
        products: (direct, in Winograd's domain) multiply-adds of one image that the native engine's algorithm has left.
        images: of the evaluated set, by whole evaluations; None otherwise.
        ceilings: {precision: multiply-adds a second of each round, in a product of large square matrices}, and "fma":
            those of float32 in registers alone.
        contestants: in the order in which each round ran them.
        machine, load: of the run.
        versions: {package: version}.
        commit: of the densezoo repository, ``+dirty`` with uncommitted changes; None outside one.
        date: UTC, ISO 8601.
        command: that repeats it.

    Raises:
        ResultError: a contestant with another number of rounds, or a name that stands twice.
    """

    what: What
    model: str
    instruction_set: str
    device: str
    threads: int
    image_size: int
    multiply_adds: int
    products: tuple[int, int] | None = None
    images: int | None = None
    ceilings: Mapping[str, tuple[float, ...]]
    contestants: tuple[Contestant, ...]
    machine: Machine
    load: Load
    versions: Mapping[str, str]
    commit: str | None = None
    date: str
    command: str

    def __post_init__(self) -> None:
        names = [(each.name, each.precision) for each in self.contestants]
        if len(set(names)) < len(names):
            raise ResultError(f"contestants: expected every name once, found {sorted(names)}")
        series = [runs for each in self.contestants for runs in (*each.rates.values(), *filter(None, [each.seconds]))]
        if len({len(runs) for runs in series}) > 1 or any(value <= 0 for runs in series for value in runs):
            raise ResultError("contestants: expected as many rounds of each, all above 0")
