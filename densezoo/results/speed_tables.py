"""Tables of benchmarks: images a second, ratios, latency, memory, the share of the machine's ceiling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from densezoo.results.markdown import markdown
from densezoo.results.statistics import Spread, ratio, spread
from densezoo.types.benchmark import ITS_OWN, Benchmark, Contestant

OWN = "densezoo "  # with which the names of densezoo's own programs begin
OLDER = "densezoo of "  # and those of its other commits
NOT_MEASURED = "not measured"
UNHELD = " *"  # after the name of an unheld program, and after a ratio to it
UNHELD_NOTE = "`*`: that program takes the best instruction set of the CPU, whatever the others are held to.\n"


def is_unheld(benchmark: Benchmark, contestant: Contestant) -> bool:
    """Whether a contestant may have computed with a better instruction set than the one that the run was held to.

    Args:
        benchmark: the run.
        contestant: of it.
    """
    held = benchmark.instruction_set in benchmark.machine.instruction_sets[:-1]  # to less than the best of the machine
    return held and contestant.instruction_set == ITS_OWN


def name_of(benchmark: Benchmark, contestant: Contestant) -> str:
    """A contestant's name, marked if it is unheld.

    Args:
        benchmark: the run.
        contestant: of it.
    """
    return contestant.name + UNHELD * is_unheld(benchmark, contestant)


def unheld_note(shown: Iterable[str], note: str = UNHELD_NOTE) -> str:
    """The note that explains the mark of unheld programs; "" where none is shown.

    Args:
        shown: names and ratios.
        note: the explanation.
    """
    return note * any(text.endswith(UNHELD) for text in shown)


def short_commit(benchmark: Benchmark) -> str:
    """The first 7 digits of the commit that ran, with ``+dirty`` if there were uncommitted changes; "": unknown.

    Args:
        benchmark: the run.
    """
    digits, dirty, _ = (benchmark.commit or "").partition("+")
    return f"{digits[:7]}+dirty" if dirty else digits[:7]


def rates(benchmark: Benchmark, contestant: Contestant) -> tuple[float, ...]:
    """Images a second of each round, at a contestant's best batch size; empty where it was not measured.

    Args:
        benchmark: the run.
        contestant: of it.
    """
    if benchmark.images is not None:
        return tuple(benchmark.images / seconds for seconds in contestant.seconds)
    return contestant.best_rates


def ceiling(benchmark: Benchmark, precision: str) -> tuple[float, ...]:
    """Images a second of each round that the machine's matrix products would allow a direct convolution.

    Args:
        benchmark: the run.
        precision: of the products; one that was not measured has float32's.
    """
    products = benchmark.ceilings.get(precision, benchmark.ceilings.get("float32", ()))
    return tuple(rate / benchmark.multiply_adds for rate in products)


def row(benchmark: Benchmark, contestant: Contestant) -> dict[str, str]:
    """A contestant's figures as the cells of a table.

    Args:
        benchmark: the run.
        contestant: of it.
    """
    own = rates(benchmark, contestant)
    limit = ceiling(benchmark, contestant.precision)
    error = contestant.error
    return {
        "program": name_of(benchmark, contestant),
        "precision": contestant.precision,
        "batch": contestant.best_batch or "",
        "images/s": _with_range(spread(own)) if own else NOT_MEASURED,
        "G multiply-adds/s": f"{spread(own).median * benchmark.multiply_adds / 1e9:.1f}" if own else "",
        "of the ceiling": f"{100 * ratio(own, limit).median:.0f} %" if own and len(limit) == len(own) else "",
        "seconds": _with_range(spread(contestant.seconds)) if contestant.seconds else "",
        "ms at batch 1 (p50, p90, p99)": _milliseconds(contestant),
        "MiB": f"{contestant.peak_memory / 2**20:,.0f}" if contestant.peak_memory else "",
        "kept MiB": f"{contestant.kept / 2**20:,.1f}" if contestant.kept is not None else "",
        "error": f"{error:.0e}" if error is not None else "",
        "agrees": f"{100 * contestant.agreement:.2f} %" if contestant.agreement is not None else "",
    }


def _with_range(found: Spread) -> str:
    """The median and, where they differ, the lowest and the highest: "39.1 (37.9 to 40.2)"."""
    shown = [_three_digits(value) for value in (found.median, found.low, found.high)]
    return shown[0] if shown[1] == shown[2] else f"{shown[0]} ({shown[1]} to {shown[2]})"


def _three_digits(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _milliseconds(contestant: Contestant) -> str:
    latency = contestant.latency
    return ", ".join(f"{1000 * t:.1f}" for t in (latency.p50, latency.p90, latency.p99)) if latency else ""


def fastest(benchmark: Benchmark, precision: str = "float32") -> Contestant | None:
    """The fastest of densezoo's own programs; None: none was measured.

    Args:
        benchmark: the run.
        precision: of the program.
    """
    own = [c for c in benchmark.contestants if c.name.startswith(OWN) and not c.name.startswith(OLDER)]
    measured = [c for c in own if c.precision == precision and rates(benchmark, c)]
    return max(measured, key=lambda c: spread(rates(benchmark, c)).median, default=None)


def ratios(benchmark: Benchmark, contestant: Contestant) -> dict[str, Spread]:
    """{another contestant's name and precision, marked if it is unheld: how many times as fast this one is}.

    The ratios are taken round by round.

    Args:
        benchmark: the run.
        contestant: of it, measured.
    """
    own = rates(benchmark, contestant)
    others = {_label(benchmark, c): rates(benchmark, c) for c in benchmark.contestants if c != contestant}
    limit = ceiling(benchmark, contestant.precision)
    others["the direct-convolution ceiling"] = limit if len(limit) == len(own) else ()
    return {name: ratio(own, theirs) for name, theirs in others.items() if theirs}


def _label(benchmark: Benchmark, contestant: Contestant) -> str:
    precision = "" if contestant.precision == "float32" else f" {contestant.precision}"
    return f"{contestant.name}{precision}{UNHELD * is_unheld(benchmark, contestant)}"


def printed(benchmark: Benchmark) -> str:
    """A benchmark as text: its table, why what was not measured was not, and the ratios of densezoo's fastest.

    Args:
        benchmark: the run.
    """
    about = f"{benchmark.what} of {benchmark.model} at {benchmark.image_size} px on {benchmark.machine.cpu}"
    lines = [f"{about}, {benchmark.instruction_set}, {benchmark.threads} threads\n", table(benchmark)]
    lines += [f"{c.name} {c.precision}: {NOT_MEASURED}: {c.not_measured}\n" for c in missing(benchmark)]
    peaks = {name: f"{spread(rates).median / 1e9:.1f}" for name, rates in benchmark.ceilings.items()}
    lines += [f"ceiling, {name}: {peak} G multiply-adds/s\n" for name, peak in peaks.items()]
    lines += [f"{100 * benchmark.load.others:.0f} % of the cores' time went to other processes\n"]
    for precision in dict.fromkeys(c.precision for c in benchmark.contestants):
        if (best := fastest(benchmark, precision)) is not None:
            ratio_of = ratios(benchmark, best)
            lines += [f"{_label(benchmark, best)}: {_with_range(times)} x {name}\n" for name, times in ratio_of.items()]
    lines.append(unheld_note(name_of(benchmark, c) for c in benchmark.contestants if rates(benchmark, c)))
    return "".join(lines)


def missing(benchmark: Benchmark) -> Sequence[Contestant]:
    """The contestants without figures.

    Args:
        benchmark: the run.
    """
    return [c for c in benchmark.contestants if c.not_measured is not None]


def table(benchmark: Benchmark) -> str:
    """One benchmark's contestants as a table, the fastest first.

    Args:
        benchmark: the run.
    """
    measured = [c for c in benchmark.contestants if c.not_measured is None]
    ordered = sorted(measured, key=lambda c: -spread(rates(benchmark, c)).median)
    return markdown([row(benchmark, c) for c in ordered])
