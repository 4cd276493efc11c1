"""Compiles the engine's shared library beside this module: ``python densezoo/backends/native/build.py``.

`hatch_build.py` calls it for wheels and editable installs. It imports nothing but Python's own library, as it runs
where nothing else is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
SOURCES = FOLDER / "csrc"
LIBRARY = FOLDER / "libdensezoo_native.so"
PLATFORM = "linux_x86_64"  # of wheels that carry it

#: Of every file: position independent, only what is marked is visible from outside.
FLAGS = ("-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-fno-exceptions", "-fno-rtti", "-Wall", "-Wextra")
#: {object: (its source, its own flags)}; an engine for each instruction set.
OBJECTS = {
    "avx2": ("engine.cpp", ("-mavx2", "-mfma", "-DENGINE=engine_avx2")),
    "avx512": (
        "engine.cpp",
        ("-mavx512f", "-mavx512dq", "-mavx512vl", "-mavx512bw", "-mfma", "-DENGINE=engine_avx512"),
    ),
    "resample": ("resample.cpp", ("-mavx2", "-ffp-contract=off")),
    "dispatch": ("dispatch.cpp", ()),
}


class BuildError(Exception):
    """The library can't be built here; the message says why."""


def source_hash() -> str:
    """The sha256 of the sources' names and texts and of the flags: a library that carries another one is stale."""
    digest = hashlib.sha256(repr((FLAGS, sorted(OBJECTS.items()))).encode())
    for path in sorted((*SOURCES.glob("*.h"), *SOURCES.glob("*.cpp"))):  # no editor's swap files
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def compiler() -> list[str]:
    """The command of a C++ compiler: $CXX, or the first of c++, g++, clang++ on the path.

    Raises:
        BuildError: there is none, or $CXX can't be read.
    """
    try:
        given = shlex.split(os.environ.get("CXX", ""))
    except ValueError as error:
        raise BuildError(f"CXX is {os.environ['CXX']!r} ({error})") from None
    for command in [given] if given else [["c++"], ["g++"], ["clang++"]]:
        if shutil.which(command[0]):
            return command
    raise BuildError(f"found no C++ compiler ({given[0] + ', which CXX names' if given else 'c++, g++, clang++'})")


def build(library: Path = LIBRARY, extra: tuple[str, ...] = ()) -> Path:
    """Compile the library.

    Args:
        library: the file that it becomes; replaced whole.
        extra: further flags of the compiler and the linker, such as a sanitizer's.

    Raises:
        BuildError: the machine isn't x86-64 Linux, there is no compiler, it failed, or the file can't be written.
    """
    machine = f"{platform.system()} {platform.machine()}"
    if machine not in ("Linux x86_64", "Linux AMD64"):
        raise BuildError(f"the engine is for Linux on x86-64, and this is {machine}")
    command = compiler()
    try:
        with (
            tempfile.TemporaryDirectory(dir=library.parent, prefix=".native-") as folder,
            ThreadPoolExecutor() as threads,
        ):
            hashed = f'-DSOURCES="{source_hash()}"'
            compile_commands = [
                [*command, *FLAGS, *flags, *extra, hashed, "-c", str(SOURCES / source), "-o", f"{folder}/{name}.o"]
                for name, (source, flags) in OBJECTS.items()
            ]
            list(threads.map(_run, compile_commands))
            objects = [f"{folder}/{name}.o" for name in OBJECTS]
            _run([*command, "-shared", "-Wl,--as-needed", *extra, *objects, "-o", f"{folder}/library.so"])
            os.replace(f"{folder}/library.so", library)
    except OSError as error:  # a read-only folder, a full disk
        raise BuildError(f"{library} can't be written ({error})") from None
    return library


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{shlex.join(command)} ended with status {done.returncode}:\n{done.stderr[-2000:]}")


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{build()}\n")
    except BuildError as error:
        sys.exit(str(error))
