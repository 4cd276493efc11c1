"""The tables of memory and time of training: what was measured beside the figures of the authors' documents."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence

from densezoo.paths import ROOT
from densezoo.results.markdown import markdown
from densezoo.results.speed_tables import NOT_MEASURED, short_commit
from densezoo.results.statistics import ratio, spread
from densezoo.types.benchmark import Benchmark, Contestant

#: Of https://github.com/liuzhuang13/DenseNet: README ("wide") and models/README ("modes"), a TITAN X, batches of 64.
PUBLISHED = ROOT / "metafiles/speed/lua_memory.csv"
DEFAULT, EFFICIENT = "torchvision", "torchvision memory_efficient"


def published(table: str) -> list[dict[str, str]]:
    """The lines of one of the published tables.

    Args:
        table: "modes" or "wide".
    """
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        return [line for line in csv.DictReader(file) if line["table"] == table]


def modes(benchmarks: Sequence[Benchmark]) -> str:
    """A row a contestant of each memory benchmark that has several of them, and a row a published mode.

    Args:
        benchmarks: of the kind "memory".
    """
    rows = [
        {
            "model": line["model"],
            "program": f"Lua, {line['mode']}",
            "precision": "float32",
            "batch": "64",
            "kept MiB": "",
            "of torchvision's": "",
            "peak": f"{int(line['megabytes']):,} MB",
            "s a step": line["seconds"],
            "time of memory_efficient's": "",
            "where": "TITAN X, published",
            "commit": "",
        }
        for line in published("modes")
    ]
    for each in benchmarks:
        rows += [_mode(each, contestant) for contestant in each.contestants if contestant.not_measured is None]
    notes = [
        f"- {each.model}: {contestant.name} is {NOT_MEASURED}: {contestant.not_measured}\n"
        for each in benchmarks
        for contestant in each.contestants
        if contestant.not_measured is not None
    ]
    return markdown(rows) + ("\n" + "".join(notes) if notes else "")


def _mode(benchmark: Benchmark, contestant: Contestant) -> dict[str, str]:
    default = _of(benchmark, DEFAULT, contestant.precision)
    efficient = _of(benchmark, EFFICIENT, contestant.precision)
    share = contestant.kept / default.kept if contestant.kept and default is not None and default.kept else None
    times = ratio(efficient.best_rates, contestant.best_rates).median if efficient is not None else None
    return {
        "model": benchmark.model,
        "program": contestant.name,
        "precision": contestant.precision,
        "batch": contestant.best_batch or "",
        "kept MiB": f"{(contestant.kept or 0) / 2**20:,.0f}",
        "of torchvision's": f"{100 * share:.1f} %" if share is not None else "",
        "peak": f"{(contestant.peak_memory or 0) / 2**20:,.0f} MiB",
        "s a step": f"{_seconds(contestant):.2f}",
        "time of memory_efficient's": f"{times:.2f}" if times is not None else "",
        "where": _where(benchmark),
        "commit": short_commit(benchmark),
    }


def _of(benchmark: Benchmark, name: str, precision: str) -> Contestant | None:
    """The contestant of a name, if it was measured."""
    candidates = (each for each in benchmark.contestants if (each.name, each.precision) == (name, precision))
    return next((each for each in candidates if each.not_measured is None), None)


def _seconds(contestant: Contestant) -> float:
    """The median time of a step."""
    return int(contestant.best_batch or 0) / spread(contestant.best_rates).median


def _where(benchmark: Benchmark) -> str:
    machine = benchmark.machine.gpu or f"{benchmark.machine.cpu}, {benchmark.threads} threads"
    return f"{machine}, others' load {100 * benchmark.load.others:.0f} %"


def wide(benchmarks: Sequence[Benchmark]) -> str:
    """A row a network of the published table: its published time and memory, and the measured ones by memory mode.

    Args:
        benchmarks: of the kind "memory".
    """
    rows: list[Mapping[str, str]] = []
    for line in published("wide"):
        row = {
            "model": line["model"],
            "program": "Lua",
            "batch": "64",
            "s a step": line["seconds"],
            "peak": f"{int(line['megabytes']):,} MB",
            "kept MiB": "",
            "where": "TITAN X, published",
            "commit": "",
        }
        measured = [_wide(each, one) for each in benchmarks if _is(line["model"], each) for one in _own(each)]
        missing = dict.fromkeys(row, "") | {"model": line["model"], "program": "densezoo", "where": NOT_MEASURED}
        rows += [row, *(measured or [missing])]
    return markdown(rows)


def _is(model: str, benchmark: Benchmark) -> bool:
    """Whether a benchmark is of a network, on whatever dataset."""
    return benchmark.model.removeprefix(model)[:6] in ("", "_cifar")


def _own(benchmark: Benchmark) -> list[Contestant]:
    return [each for each in benchmark.contestants if each.name.startswith("densezoo ") and each.rates]


def _wide(benchmark: Benchmark, contestant: Contestant) -> dict[str, str]:
    cells = _mode(benchmark, contestant)
    shown = ("model", "program", "batch", "s a step", "peak", "kept MiB", "where", "commit")
    return {name: cells[name] for name in shown}
