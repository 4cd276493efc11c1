"""The tables of docs/speed.md and of the README's section on speed, made from the stored benchmarks."""

from __future__ import annotations

import csv
import shlex
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath

from densezoo.paths import RESULTS, ROOT
from densezoo.results import memory_tables
from densezoo.results.benchmarks import FOLDER, read_benchmarks
from densezoo.results.markdown import markdown
from densezoo.results.speed_tables import (
    NOT_MEASURED,
    OLDER,
    OWN,
    UNHELD,
    ceiling,
    fastest,
    is_unheld,
    missing,
    name_of,
    rates,
    row,
    short_commit,
    unheld_note,
)
from densezoo.results.statistics import ratio, spread
from densezoo.results.step_tables import steps_table
from densezoo.types.benchmark import Benchmark, Contestant, What

PUBLISHED = ROOT / "metafiles/speed/timm.csv"
#: Instruction sets whose figures the tables say are missing where nobody has measured them.
EXPECTED = ("avx2", "avx512", "amx")
#: {column: the contestants of which the fastest stands there}.
OTHERS: Mapping[str, tuple[str, ...]] = {
    "timm": ("timm",),
    "timm, best flags": ("timm", "timm channels-last", "timm channels-last -b 16 -j 2"),
    "torchvision": ("torchvision", "torchvision channels-last"),
    "mmpretrain": ("mmpretrain",),
    "OpenVINO": ("openvino", "densezoo openvino"),
    "ONNX Runtime": ("onnxruntime", "densezoo onnxruntime"),
}


@cache
def stored() -> tuple[Benchmark, ...]:
    """The benchmarks of the repository."""
    return tuple(read_benchmarks(RESULTS / FOLDER))


def chosen(benchmarks: Sequence[Benchmark], what: What) -> list[Benchmark]:
    """The benchmarks of one kind, by instruction set, model and number of images.

    Args:
        benchmarks: of all kinds.
        what: the kind.
    """
    chosen = [each for each in benchmarks if each.what == what]
    return sorted(chosen, key=lambda each: (each.instruction_set, each.multiply_adds, each.model, each.images or 0))


def best_of(benchmark: Benchmark, names: Sequence[str], precision: str = "float32") -> Contestant | None:
    """The fastest of several contestants; None: none of them was measured.

    Args:
        benchmark: the run.
        names: of the contestants.
        precision: that they compute in.
    """
    candidates = [
        c for c in benchmark.contestants if c.name in names and c.precision == precision and rates(benchmark, c)
    ]
    return max(candidates, key=lambda c: spread(rates(benchmark, c)).median, default=None)


def comparison(benchmarks: Sequence[Benchmark], what: What) -> str:
    """A row a benchmark: densezoo's fastest exact backend, and how many times as fast it is as each other program.

    Args:
        benchmarks: of all kinds.
        what: the kind.
    """
    rows = [_compared(each) for each in chosen(benchmarks, what)]
    measured = {each.instruction_set for each in benchmarks if each.what == what}
    absent = [name for name in EXPECTED if name not in measured]
    absent += [] if any(each.machine.gpu for each in benchmarks if each.what == what) else ["a GPU"]
    note = f"\n{NOT_MEASURED.capitalize()} on: {', '.join(absent)}.\n" if absent else ""
    return markdown(rows) + _unheld(rows) + note


def _compared(benchmark: Benchmark) -> dict[str, str]:
    best = fastest(benchmark)
    own = rates(benchmark, best) if best is not None else ()
    cells = {
        "model": benchmark.model,
        "px": str(benchmark.image_size),
        "images": f"{benchmark.images:,}" if benchmark.images is not None else "",
        "instructions": benchmark.instruction_set,
        "threads": str(benchmark.threads),
        "backend": name_of(benchmark, best).removeprefix(OWN) if best is not None else "",
        "images/s": _shown(spread(own).median) if own else NOT_MEASURED,
        "seconds": _shown(spread(best.seconds).median) if best is not None and best.seconds else "",
    }
    for column, names in OTHERS.items():
        other = best_of(benchmark, names)
        there = any(c.name in names for c in benchmark.contestants)
        theirs = rates(benchmark, other) if other is not None else ()
        unheld = UNHELD * (other is not None and is_unheld(benchmark, other))
        times = f"{ratio(own, theirs).median:.2f}{unheld}" if own and theirs else ""
        cells[f"x {column}"] = times or (NOT_MEASURED if there else "")
    older = best_of(benchmark, [c.name for c in benchmark.contestants if c.name.startswith(OLDER)])
    before = rates(benchmark, older) if older is not None else ()
    cells["x older densezoo"] = f"{ratio(own, before).median:.2f}" if own and before else ""
    limit = ceiling(benchmark, "float32")
    same_rounds = bool(own) and len(limit) == len(own) and benchmark.what == "inference"
    cells["x ceiling"] = f"{ratio(own, limit).median:.2f}" if same_rounds else ""
    cells["ms at batch 1"] = f"{1000 * best.latency.p50:.1f}" if best is not None and best.latency else ""
    cells["MiB"] = f"{best.peak_memory / 2**20:,.0f}" if best is not None and best.peak_memory else ""
    cells["error"] = f"{best.error:.0e}" if best is not None and best.error is not None else ""
    cells["top-1, top-5"] = "{}, {}".format(*best.correct) if best is not None and best.correct else ""
    cells["others' load"] = f"{100 * benchmark.load.others:.0f} %"
    cells["commit"] = short_commit(benchmark)
    return cells


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def _unheld(rows: Sequence[Mapping[str, str]]) -> str:
    """The explanation of the mark of unheld programs below a table; "" where none is in it."""
    note = unheld_note(cell for row in rows for cell in row.values())
    return f"\n{note}" if note else ""


def everything(benchmarks: Sequence[Benchmark], what: What) -> str:
    """Every contestant of every benchmark of one kind: a row each, and below why some have no figures.

    Args:
        benchmarks: of all kinds.
        what: the kind.
    """
    rows = []
    notes: list[str] = []
    for each in chosen(benchmarks, what):
        measured = sorted(
            (c for c in each.contestants if c.not_measured is None), key=lambda c: -spread(rates(each, c)).median
        )
        heads = {
            "model": each.model,
            "images": str(each.images or ""),
            "threads": str(each.threads),
            "others' load": f"{100 * each.load.others:.0f} %",
            "commit": short_commit(each),
            "instructions": each.instruction_set,
        }
        rows += [{**heads, **row(each, c)} for c in measured]
        notes += [
            f"- {each.model}, {each.instruction_set}: {c.name} {c.precision} is {NOT_MEASURED}: {c.not_measured}\n"
            for c in missing(each)
        ]
    return markdown(rows) + _unheld(rows) + ("\n" + "".join(dict.fromkeys(notes)) if notes else "")


def limits(benchmarks: Sequence[Benchmark]) -> str:
    """How near densezoo's own engine is to the products that its algorithm can't do without.

    Args:
        benchmarks: of all kinds.
    """
    rows = []
    for each in chosen(benchmarks, "inference"):
        own, peak = best_of(each, [f"{OWN}native"]), each.ceilings.get("fma")
        if own is None or peak is None or each.products is None:
            continue
        taken = 1000 * each.threads / spread(rates(each, own)).median
        direct, winograd = (1000 * each.threads * count / spread(peak).median for count in each.products)
        rows.append(
            {
                "model": each.model,
                "instructions": each.instruction_set,
                "ms an image and core": f"{taken:.2f}",
                "direct products at the peak": f"{direct:.2f}",
                "Winograd's products at the peak": f"{winograd:.2f}",
                "both of the whole": f"{100 * (direct + winograd) / taken:.0f} %",
                "G multiply-adds/s a core at the peak": f"{spread(peak).median / each.threads / 1e9:.1f}",
                "others' load": f"{100 * each.load.others:.0f} %",
                "commit": short_commit(each),
            }
        )
    return markdown(rows)


def machines(benchmarks: Sequence[Benchmark]) -> str:
    """A list of the machines that the benchmarks ran on, with the versions that were timed.

    Args:
        benchmarks: of all kinds.
    """
    items: dict[str, set[str]] = {}
    for each in benchmarks:
        machine = each.machine
        caches = ", ".join(f"{name} {size // 1024:,} KiB" for name, size in machine.caches.items())
        parts = [machine.gpu, machine.cpu, f"{machine.cores} cores", caches, f"{machine.memory / 2**30:.0f} GiB"]
        sets = " ".join(machine.instruction_sets)
        versions = ("torch", "timm", "torchvision", "openvino", "onnxruntime")
        named = items.setdefault(f"{', '.join(filter(None, parts))} ({sets})", set())
        named |= {f"{name} {each.versions[name]}" for name in versions if name in each.versions}
    return "".join(f"- {machine}: {', '.join(sorted(named))}\n" for machine, named in items.items())


def readme(benchmarks: Sequence[Benchmark]) -> str:
    """The README's table, as wide as GitHub's page: whole evaluations, and the network alone of the same models.

    Args:
        benchmarks: of all kinds; those without another program in them are left out.
    """
    others = [f"x {name}" for name in OTHERS if name != "torchvision"]
    rows = []
    kinds: dict[What, str] = {"evaluation": "whole evaluation", "inference": "network alone"}
    for what, words in kinds.items():
        for each in chosen(benchmarks, what):
            if each.model in ("densenet121", "densenet_bc_100_12", "densenet_bc_100_12_cifar10"):
                cells = _compared(each)
                if any(cells[name] for name in others):
                    shown = ("model", "instructions", "images/s", *others)
                    rows.append({"what": words, **{name: cells[name] for name in shown}})
    return markdown(rows) + _unheld(rows)


def commands(benchmarks: Sequence[Benchmark]) -> str:
    """The commands that the benchmarks of speed were measured by, each once.

    Of an absolute path, or one in somebody's home, the last name stands alone; relative paths are the repository's.

    Args:
        benchmarks: of all kinds.
    """
    whats: tuple[What, ...] = ("evaluation", "inference", "training")
    stored = [each.command for what in whats for each in chosen(benchmarks, what) if each.command]
    shown = dict.fromkeys(shlex.join(map(_without_folders, shlex.split(command))) for command in stored)
    return "```sh\n" + "".join(f"{command}\n" for command in shown) + "```\n"


def _without_folders(word: str) -> str:
    """A word of a command; of a path that is absolute or in a home, as the word or after its "=", the last name."""
    if word.startswith(("/", "~")):
        return PurePosixPath(word).name or word
    option, sign, value = word.partition("=")
    return option + sign + _without_folders(value) if sign else word


def published() -> str:
    """timm's published samples a second at 224 px: a row a run, a column a model."""
    with PUBLISHED.open(encoding="utf-8", newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["img_size"] == "224"]
    models = [name for name in dict.fromkeys(line["model"] for line in lines) if _widespread(name, lines)]
    runs: dict[str, dict[str, str]] = {}
    for line in lines:
        cells = runs.setdefault(line["run"], {"batch": line["batch_size"]})
        cells[line["model"]] = f"{float(line['samples_per_sec']):,.1f}"
    return markdown(
        [
            {"run": run, "batch": cells["batch"], **{name: cells.get(name, "") for name in models}}
            for run, cells in runs.items()
        ]
    )


def _widespread(model: str, lines: Sequence[Mapping[str, str]]) -> bool:
    """Whether most runs have a model: the others were removed from timm or renamed."""
    return 2 * sum(line["model"] == model for line in lines) > len({line["run"] for line in lines})


#: {name of a marker: its table}.
SPEED_TABLES: Mapping[str, Callable[[], str]] = {
    "speed/readme": lambda: readme(stored()),
    "speed/evaluation": lambda: comparison(stored(), "evaluation"),
    "speed/inference": lambda: comparison(stored(), "inference"),
    "speed/limit": lambda: limits(stored()),
    "speed/training": lambda: everything(stored(), "training"),
    "speed/memory-modes": lambda: memory_tables.modes(chosen(stored(), "memory")),
    "speed/memory-wide": lambda: memory_tables.wide(chosen(stored(), "memory")),
    "speed/first-steps": lambda: steps_table(chosen(stored(), "steps")),
    "speed/every-evaluation": lambda: everything(stored(), "evaluation"),
    "speed/every-inference": lambda: everything(stored(), "inference"),
    "speed/commands": lambda: commands(stored()),
    "speed/machines": lambda: machines(stored()),
    "speed/published": published,
}
