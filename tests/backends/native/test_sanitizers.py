"""The kernels' tests once more, on a library that stops at the first wrong address or undefined operation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.backends.native import build

FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-g", "-O1")
#: Runs pytest's arguments with another library: library, arguments.
PROGRAM = """
import sys
from pathlib import Path
import pytest
from densezoo.backends.native import build
build.LIBRARY = Path(sys.argv[1])
sys.exit(pytest.main(sys.argv[2:]))
"""


def run(library: Path, *tests: str) -> subprocess.CompletedProcess[str]:
    """Some tests in a process of their own that the sanitizers' library was loaded into first."""
    command = [*build.compiler(), "-print-file-name=libasan.so"]
    preloaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if not Path(preloaded).is_file():
        pytest.skip("the compiler has no address sanitizer")
    env = os.environ | {"LD_PRELOAD": preloaded, "ASAN_OPTIONS": "detect_leaks=0", "OMP_NUM_THREADS": "1"}
    env["PYTEST_ADDOPTS"] = ""  # --durations would cut off what it prints
    options = ["-s", "-p", "no:xdist", "-p", "no:cacheprovider"]
    arguments = [sys.executable, "-c", PROGRAM, str(library), *options, *tests]
    return subprocess.run(arguments, capture_output=True, text=True, env=env, check=False)


@pytest.mark.slow
def test_no_kernel_reads_or_writes_beside_its_maps(tmp_path: Path) -> None:
    library = build.build(tmp_path / "sanitized.so", FLAGS)
    done = run(library, str(Path(__file__).with_name("test_kernels.py")))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert " passed" in done.stdout


@pytest.mark.slow
def test_a_kernel_that_did_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same with sources in which a pool reads a map's width too far."""
    sources = tmp_path / "csrc"
    sources.mkdir()
    for path in build.SOURCES.iterdir():
        text = path.read_text(encoding="utf-8")
        if path.name == "pool.h":
            assert "wide.index[j]) + c)" in text
            text = text.replace("wide.index[j]) + c)", "wide.index[j] + 4096) + c)")
        (sources / path.name).write_text(text, encoding="utf-8")
    hashed = build.source_hash()
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(build, "source_hash", lambda: hashed)
    library = build.build(tmp_path / "broken.so", FLAGS)
    done = run(library, str(Path(__file__).with_name("test_kernels.py")), "-k", "test_a_pool")
    assert "AddressSanitizer" in done.stderr + done.stdout
    assert done.returncode != 0
