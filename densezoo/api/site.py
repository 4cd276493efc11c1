"""Writes the zoo as a static site."""

from __future__ import annotations

from pathlib import Path

from densezoo import __version__
from densezoo.api.index import known_benchmarks, known_results
from densezoo.api.labels import known_names
from densezoo.errors import ResultError
from densezoo.files import making_folder
from densezoo.index.load import load_index
from densezoo.results.benchmarks import FOLDER, read_benchmarks
from densezoo.results.site.pages import site_files
from densezoo.results.site.zoo import Zoo
from densezoo.results.store import read_results

MARKER = ".densezoo-site"  # a file of a folder that this module wrote, and may replace


def make_site(folder: str | Path, results: str | Path | None = None) -> Path:
    """Write the index and the stored results as pages that a browser opens from disk; return the first page.

    Args:
        folder: of the site; one that is there is replaced whole, if it is empty or an older site.
        results: folder of stored results, and of benchmarks in it; None: those that ship with densezoo, and those of a
            private index or of the current folder.

    Raises:
        ResultError: the folder holds something else; a stored result or benchmark is broken (a result of the current
            folder is left out then, which is said).
        ConfigError: the folder can't be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ResultError(f"{folder}: expected a folder for the site, found a file; choose another path")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / MARKER).is_file():
        raise ResultError(f"{folder}: holds files that no site of densezoo is made of; choose an empty or a new folder")
    measured = known_results() if results is None else read_results(results)
    benchmarks = known_benchmarks() if results is None else read_benchmarks(Path(results) / FOLDER)
    zoo = Zoo(load_index(), measured, benchmarks, known_names, __version__)
    files = site_files(zoo)
    try:
        folder.absolute().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResultError(f"{folder}: the site can't be written ({error.strerror}); choose another folder") from None
    with making_folder(folder, replace=True) as hidden:
        for name, content in files.items():
            path = hidden / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (hidden / MARKER).write_text("Made by densezoo site; what is edited here is lost.\n", encoding="utf-8")
    return folder / "index.html"
