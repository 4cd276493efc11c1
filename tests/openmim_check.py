#!/usr/bin/env python
"""OpenMIM's own commands on a wheel of densezoo, in an environment of their own; `make test-all` runs it.

OpenMIM needs pkg_resources (setuptools below 81), and its pins contradict densezoo's, so it can't be in `dev`. Needs a
package registry, no other network: files are downloaded from a server on loopback.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import venv
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

REPOSITORY = Path(__file__).resolve().parent.parent
MODEL, URL = "densenet121.tv_in1k", "https://download.pytorch.org/models"
FILE, BYTES = "densenet121-a639ec97.pth", b"stands for the weights"


def main() -> None:
    """Build, install, search, download.

    Raises:
        SystemExit: a command of OpenMIM's failed, or answered something else than the index says.
    """
    with tempfile.TemporaryDirectory() as folder:
        mim, package = install(Path(folder))
        search(mim, Path(folder))
        download(mim, package, Path(folder))
    print("openmim: search and download answer right")


def install(folder: Path) -> tuple[Path, Path]:
    """An environment with OpenMIM and densezoo's wheel; returns the command and the installed package."""
    environment = folder / "environment"
    venv.create(environment, with_pip=True)
    pip = [str(environment / "bin/python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run([*pip, "install", "openmim>=0.3.9", "setuptools<81", "mmengine>=0.10.7"])
    run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), str(REPOSITORY)])
    run([*pip, "install", "--no-deps", *map(str, folder.glob("densezoo-*.whl"))])
    (package,) = environment.glob("lib/python*/site-packages/densezoo")
    expect("the native engine", (package / "backends/native/libdensezoo_native.so").is_file(), True)
    return environment / "bin/mim", package


def search(mim: Path, folder: Path) -> None:
    """What ``mim search`` finds by collection, by name and by a comparison."""
    everything = found(mim, folder)
    expect("models of densenet121", set(found(mim, folder, "--model", "densenet121")), of(everything, "densenet121."))
    light = set(found(mim, folder, "--condition", "flops<3000000000"))
    stated = {name: entry["flops"] for name, entry in everything.items() if entry["flops"] is not None}
    expect("flops<3000000000", light, {name for name, flops in stated.items() if float(str(flops)) < 3e9})
    expect("DenseNet-121 among them", MODEL in light, True)
    best = found(mim, folder, "--config", MODEL)[MODEL]
    expect("top-1", best["imagenet1k/top_1_accuracy"], 74.434)
    expect("Parameters", best["parameters"], 7_978_856)


def download(mim: Path, package: Path, folder: Path) -> None:
    """What ``mim download`` gets: the model's first file and its config."""
    served = folder / "served"
    served.mkdir()
    (served / FILE).write_bytes(BYTES)
    handler = partial(SimpleHTTPRequestHandler, directory=str(served))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        index = package / ".mim/model-index.yml"
        index.write_text(index.read_text().replace(URL, f"http://127.0.0.1:{server.server_port}"))
        run([str(mim), "download", "densezoo", "--config", MODEL, "--dest", str(folder / "got")])
        server.shutdown()
    expect("the file", (folder / "got" / FILE).read_bytes(), BYTES)
    config = (folder / "got" / f"{MODEL}.py").read_text()
    expect("the config's blocks", re.findall(r"\d+", config.partition("block_config=")[2])[:4], ["6", "12", "24", "16"])


def found(mim: Path, folder: Path, *options: str) -> dict[str, dict[str, object]]:
    """{name: fields} of a search."""
    path = folder / "found.json"
    run([str(mim), "search", "densezoo", *options, "--json", str(path)])
    by_field = json.loads(path.read_text())
    names = {name for values in by_field.values() for name in values}
    return {name: {field: values[name] for field, values in by_field.items()} for name in names}


def of(entries: dict[str, dict[str, object]], prefix: str) -> set[str]:
    """The names that begin so."""
    return {name for name in entries if name.startswith(prefix)}


def expect(what: str, answer: object, expected: object) -> None:
    """Hold an answer against what the index says.

    Raises:
        SystemExit: it is something else.
    """
    if answer != expected:
        sys.exit(f"openmim: {what}: expected {expected!r}, found {answer!r}")


def run(command: list[str]) -> None:
    """Run a command.

    Raises:
        SystemExit: it failed; with what it printed.
    """
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    if done.returncode:
        sys.exit(f"openmim: {' '.join(command)} failed\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    main()
