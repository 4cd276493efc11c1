"""Pastes every block of docs/quickstart.md into a shell in an empty folder, and prints a table of the time each takes.

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
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/quickstart.md"
SECTION = re.compile(r"^## (.+?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


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


def main(programs: Path) -> None:
    """Print the table."""
    rows = ["| task | command lines | seconds | seconds of CPU |", "| --- | ---: | ---: | ---: |"]
    with tempfile.TemporaryDirectory() as folder:
        for heading, lines in sections().items():
            seconds, cpu = paste(lines, Path(folder), programs)
            heredocs_apart = re.sub(r"<<'END'\n.*?^END$", "", lines, flags=re.MULTILINE | re.DOTALL)
            number = len(heredocs_apart.strip().splitlines())
            rows.append(f"| {heading} | {number} | {seconds:.0f} | {cpu:.1f} |")
            print(rows[-1], os.getloadavg(), file=sys.stderr, flush=True)
    print("\n".join(rows))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
