"""The site of the whole index, made once for the tests of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from densezoo.api.labels import known_names
from densezoo.index.load import load_index
from densezoo.paths import RESULTS
from densezoo.results.benchmarks import FOLDER, read_benchmarks
from densezoo.results.site.pages import site_files
from densezoo.results.site.zoo import Zoo
from densezoo.results.store import read_results


@pytest.fixture(scope="session")
def zoo() -> Zoo:
    return Zoo(load_index(), read_results(RESULTS), read_benchmarks(RESULTS / FOLDER), known_names, "1.2.3")


@pytest.fixture(scope="session")
def files(zoo: Zoo) -> Mapping[str, bytes]:
    return site_files(zoo)


@pytest.fixture(scope="session")
def folder(files: Mapping[str, bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site on disk."""
    made = tmp_path_factory.mktemp("site")
    for name, content in files.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(content)
    return made
