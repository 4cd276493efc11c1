from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from densezoo.api import site
from densezoo.api.site import MARKER, make_site
from densezoo.errors import ResultError
from densezoo.paths import PRIVATE, ROOT
from densezoo.results.site.zoo import Zoo


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files in place of all: tests/results/site makes the pages."""

    def site_files(zoo: Zoo) -> Mapping[str, bytes]:
        numbers = len(zoo.specs), len(zoo.benchmarks), len(zoo.results)
        return {"index.html": " ".join(map(str, numbers)).encode(), "models/a.html": b"a"}

    monkeypatch.setattr(site, "site_files", site_files)


def shown_numbers(folder: Path) -> list[int]:
    """Of models, benchmarks and results."""
    return [*map(int, (folder / "index.html").read_text().split())]


def test_a_private_index_s_results_stand_beside_those_that_ship(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_site(tmp_path / "without")
    index = tmp_path / "own"
    shutil.copytree(ROOT / "results/digits", index / "results/digits")
    (index / "results/benchmarks").mkdir()
    shutil.copy(ROOT / "results/benchmarks/inference.avx2.densenet121.json", index / "results/benchmarks")
    (index / "model-index.yml").write_text("Import: []")
    monkeypatch.setenv(PRIVATE, str(index))
    models, benchmarks, results = shown_numbers(tmp_path / "without")
    make_site(tmp_path / "copies")
    assert shown_numbers(tmp_path / "copies") == [models, benchmarks, results]
    (measured,) = (index / "results/digits").iterdir()
    measured.write_text(re.sub(r'("weights_sha256": ")\w{8}', r"\g<1>01234567", measured.read_text()))
    (timed,) = (index / "results/benchmarks").iterdir()
    timed.write_text(re.sub(r'("cpu": ")', r"\g<1>Another ", timed.read_text()))
    make_site(tmp_path / "with")
    assert shown_numbers(tmp_path / "with") == [models, benchmarks + 1, results + 1]
    make_site(tmp_path / "alone", index / "results")
    assert shown_numbers(tmp_path / "alone") == [models, 1, 1]


def test_a_site_is_written_and_an_older_one_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a/site"
    assert make_site(folder) == folder / "index.html"
    assert all(number > least for number, least in zip(shown_numbers(folder), (100, 1, 1)))
    (folder / "models/older.html").write_text("of another index")
    make_site(folder)
    assert sorted(path.name for path in folder.rglob("*.*")) == [MARKER, "a.html", "index.html"]
    assert [path.name for path in folder.parent.iterdir()] == ["site"]  # nothing is left beside it


def test_what_is_no_site_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(ResultError, match="holds files that no site of densezoo is made of"):
        make_site(tmp_path)
    with pytest.raises(ResultError, match="expected a folder for the site, found a file"):
        make_site(tmp_path / "thesis.tex")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "empty").mkdir()
    make_site(tmp_path / "empty")
    with pytest.raises(ResultError, match="the site can't be written"):
        make_site(tmp_path / "thesis.tex/site")
