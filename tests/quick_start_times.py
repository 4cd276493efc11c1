"""Pastes every block of docs/quickstart.md into a shell in an empty folder; writes the time each takes into that page.

python tests/quick_start_times.py BIN    # the folder of a virtual environment's programs: a wheel installed there
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/quickstart.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TIMES = "## How long it takes\n"  # the page's last section, which is written anew
CONDITIONS = """
From an installed wheel, in an empty folder, with an empty cache: `python tests/quick_start_times.py BIN` pasted the
blocks above on {date} on {machine} with {cores} cores, whose load was {load:.1f} before. Seconds of CPU are of all
cores together.

"""


def sections() -> dict[str, str]:
    """{heading: the lines to paste}."""
    found = {heading: "".join(BLOCK.findall(text)) for heading, text in SECTION.findall(PAGE.read_text("utf-8"))}
    return {heading: lines for heading, lines in found.items() if lines}


def paste(lines: str, folder: Path, programs: Path) -> tuple[float, float]:
    """(seconds, seconds of CPU) that a block takes; it ends at the first line that fails.

    Args:
        lines: of the shell.
        folder: where it runs.
        programs: folder of python and densezoo.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment = {**kept, "PATH": f"{programs}:{os.environ['PATH']}", "DENSEZOO_HOME": str(folder / "home")}
    began, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = ["bash", "-euc", lines]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}: {lines}\n{done.stdout}\n{done.stderr}")
    return time.perf_counter() - began, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(programs: Path) -> list[str]:
    """The rows of the table.

    Args:
        programs: folder of python and densezoo.
    """
    rows, total = [], (0, 0.0, 0.0)
    with tempfile.TemporaryDirectory() as folder:
        for heading, lines in sections().items():
            seconds, cpu = paste(lines, Path(folder), programs)
            heredocs_apart = re.sub(r"<<'END'\n.*?^END$", "", lines, flags=re.MULTILINE | re.DOTALL)
            number = len(heredocs_apart.strip().splitlines())
            rows.append(f"| {heading} | {number} | {seconds:.1f} | {cpu:.1f} |")
            total = (total[0] + number, total[1] + seconds, total[2] + cpu)
            print(rows[-1], os.getloadavg(), file=sys.stderr, flush=True)
    return [*rows, "| all | {} | {:.1f} | {:.1f} |".format(*total)]


def main(programs: Path) -> None:
    """Measure, and write the page's last section."""
    load = os.getloadavg()[0]
    table = ["| task | command lines | seconds | seconds of CPU |", "| --- | ---: | ---: | ---: |", *measure(programs)]
    machine = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE)
    conditions = CONDITIONS.format(
        date=date.today(), machine=machine[1] if machine else "a machine", cores=os.cpu_count(), load=load
    )
    before, _, _ = PAGE.read_text(encoding="utf-8").partition(TIMES)
    PAGE.write_text("".join([before, TIMES, conditions, "\n".join(table), "\n"]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
