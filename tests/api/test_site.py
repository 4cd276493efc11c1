from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from densezoo.api import site
from densezoo.api.site import MARKER, make_site
from densezoo.errors import ResultError
from densezoo.results.site.zoo import Zoo


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files in place of all: tests/results/site makes the pages."""

    def site_files(zoo: Zoo) -> Mapping[str, bytes]:
        return {"index.html": f"{len(zoo.specs)} {len(zoo.benchmarks)}".encode(), "models/a.html": b"a"}

    monkeypatch.setattr(site, "site_files", site_files)


def test_a_site_is_written_and_an_older_one_replaced_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a/site"
    assert make_site(folder) == folder / "index.html"
    models, benchmarks = map(int, (folder / "index.html").read_text().split())
    assert models > 100
    assert benchmarks > 1
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
