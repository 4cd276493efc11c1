"""The machine that a benchmark runs on: instruction sets, caches, memory, and how busy others keep it."""

from __future__ import annotations

import os
import resource
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from densezoo.results import provenance
from densezoo.types.benchmark import Load, Machine


@dataclass(frozen=True)
class InstructionSet:
    """An instruction set that figures can stand under.

    Args:
        flags: of /proc/cpuinfo; a CPU that has all of them has the set.
        environment: {variable: value} that hold oneDNN (of PyTorch and OpenVINO), PyTorch's own kernels, MKL and
            densezoo's native backend to it.
    """

    flags: frozenset[str]
    environment: Mapping[str, str]


#: The best last.
INSTRUCTION_SETS: Mapping[str, InstructionSet] = {
    "avx2": InstructionSet(
        frozenset({"avx2", "fma"}),
        {
            "ONEDNN_MAX_CPU_ISA": "AVX2",
            "ATEN_CPU_CAPABILITY": "avx2",
            "MKL_ENABLE_INSTRUCTIONS": "AVX2",
            "DENSEZOO_NATIVE_BITS": "256",
        },
    ),
    "avx512": InstructionSet(
        frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"}),
        {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16", "DENSEZOO_NATIVE_BITS": "512"},
    ),
    "amx": InstructionSet(frozenset({"amx_tile", "amx_bf16"}), {}),
}


def has_instruction_sets(cpuinfo: str) -> tuple[str, ...]:
    """The names in INSTRUCTION_SETS of what a CPU has, the best last.

    Args:
        cpuinfo: the text of /proc/cpuinfo.
    """
    flags = next((line.partition(":")[2].split() for line in cpuinfo.splitlines() if line.startswith("flags")), [])
    return tuple(name for name, each in INSTRUCTION_SETS.items() if each.flags <= set(flags))


def describe_machine(gpu: str | None = None) -> Machine:
    """This machine.

    Args:
        gpu: the GPU that is used; None: none is.
    """
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return Machine(
        cpu=provenance.cpu(),
        cores=provenance.cores(),
        instruction_sets=has_instruction_sets(_text(Path("/proc/cpuinfo"))),
        caches=_caches(Path("/sys/devices/system/cpu/cpu0/cache")),
        memory=pages * size,
        gpu=gpu,
    )


def _caches(folder: Path) -> dict[str, int]:
    """{"L1d", "L2", ...: bytes} of the caches of one core, the shared ones whole; instructions' caches are left out."""
    sizes = {}
    for index in sorted(folder.glob("index*")):
        level, kind, size = (_text(index / name).strip() for name in ("level", "type", "size"))
        if kind in ("Data", "Unified") and size.endswith("K"):
            sizes[f"L{level}{'d' if kind == 'Data' else ''}"] = int(size[:-1]) * 1024
    return sizes


class LoadMeter:
    """Measures from its creation on how much of the cores' time goes to processes other than this one's."""

    def __init__(self) -> None:
        self._before = os.getloadavg()[0]
        self._start = self._times()

    def load(self) -> Load:
        """The load so far; processes that this one started count as its own once they have ended."""
        (start_busy, start_own, start_all), (busy, own, total) = self._start, self._times()
        others = (busy - start_busy) - (own - start_own)
        elapsed = max(total - start_all, 1e-9)
        return Load(round(self._before, 2), round(min(max(others / elapsed, 0.0), 1.0), 3))

    def _times(self) -> tuple[float, float, float]:
        """Seconds since the start of the machine, of all cores: (busy, this process's and its children's, all)."""
        first = _text(Path("/proc/stat")).partition("\n")[0].split()[1:9] or ["0"] * 8
        user, nice, system, idle, iowait, irq, softirq, steal = (int(x) / os.sysconf("SC_CLK_TCK") for x in first)
        busy = user + nice + system + irq + softirq + steal
        usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return busy, sum(usage.ru_utime + usage.ru_stime for usage in usages), busy + idle + iowait


def peak_memory(status: str) -> int:
    """The largest resident memory of a process so far, bytes; 0 where the system doesn't say.

    Args:
        status: the text of /proc/<pid>/status. `resource` would give what the parent had when the process started.
    """
    line = next((line for line in status.splitlines() if line.startswith("VmHWM:")), "VmHWM: 0 kB")
    return int(line.split()[1]) * 1024


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
