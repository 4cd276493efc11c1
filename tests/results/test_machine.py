"""What is said of a machine: from texts of other machines, and of this one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.results import machine
from densezoo.results.machine import LoadMeter, describe_machine, has_instruction_sets, peak_memory

ZEN3 = "processor\t: 0\nflags\t\t: fpu sse2 avx avx2 fma f16c\n"
ZEN4 = "flags\t\t: avx2 fma avx512f avx512dq avx512bw avx512vl avx512_bf16\n"
SAPPHIRE_RAPIDS = ZEN4.strip() + " amx_bf16 amx_tile amx_int8\n"


@pytest.mark.parametrize(
    ("cpuinfo", "expected"),
    [
        (ZEN3, ("avx2",)),
        (ZEN4, ("avx2", "avx512")),
        (SAPPHIRE_RAPIDS, ("avx2", "avx512", "amx")),
        ("flags : sse2 avx2\n", ()),  # without FMA
        ("", ()),
    ],
)
def test_instruction_sets_are_told_by_the_cpu_s_flags(cpuinfo: str, expected: tuple[str, ...]) -> None:
    assert has_instruction_sets(cpuinfo) == expected


def test_caches_of_one_core_without_those_for_instructions(tmp_path: Path) -> None:
    for index, (level, kind, size) in enumerate(
        [(1, "Data", "32K"), (1, "Instruction", "32K"), (2, "Unified", "1024K"), (3, "Unified", "32768K")]
    ):
        folder = tmp_path / f"index{index}"
        folder.mkdir()
        for name, value in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(f"{value}\n")
    assert machine._caches(tmp_path) == {"L1d": 32 * 1024, "L2": 2**20, "L3": 32 * 2**20}
    assert machine._caches(tmp_path / "none") == {}


def test_this_machine_is_described() -> None:
    found = describe_machine("NVIDIA H100")
    assert found.cores == len(os.sched_getaffinity(0))
    assert found.memory > 2**30
    assert found.gpu == "NVIDIA H100"


def test_only_others_time_is_their_share(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([(100.0, 10.0, 1000.0), (170.0, 30.0, 1100.0)])  # busy, own, all
    monkeypatch.setattr(LoadMeter, "_times", lambda self: next(times))
    assert LoadMeter().load().others == 0.5  # 70 - 20 of 100


def test_a_process_s_own_time_is_not_the_others() -> None:
    meter = LoadMeter()
    before = meter._start[1]
    subprocess.run([sys.executable, "-c", "sum(range(3_000_000))"], check=True)
    assert meter._times()[1] > before


def test_peak_memory_is_the_process_s_own() -> None:
    assert peak_memory("Name:\tx\nVmPeak:\t 900 kB\nVmHWM:\t  512 kB\n") == 512 * 1024
    assert peak_memory("") == 0
    assert peak_memory(Path("/proc/self/status").read_text()) > 10 * 2**20
