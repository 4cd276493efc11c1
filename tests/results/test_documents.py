from __future__ import annotations

import pytest
from examples import example_result

from densezoo.errors import ResultError
from densezoo.index.load import load_index
from densezoo.results.documents import TABLES, fill_tables

SPECS = load_index()
DOCUMENT = "# Results\n\n<!-- table: best -->\nstale\n<!-- end of table -->\n\nend\n"


def test_only_what_is_between_the_markers_changes() -> None:
    filled = fill_tables(DOCUMENT, "docs/a.md", SPECS, [])
    assert filled.startswith("# Results\n\n<!-- table: best -->\n| top-1 ")
    assert "](models/densenet161.md)" in filled
    assert filled.endswith("|\n<!-- end of table -->\n\nend\n")
    assert "stale" not in filled
    assert fill_tables(filled, "docs/a.md", SPECS, []) == filled
    assert "](docs/models/densenet161.md)" in fill_tables(DOCUMENT, "README.md", SPECS, [])


def test_a_marker_within_a_line_is_text() -> None:
    text = "tables stand between `<!-- table: ... -->` markers\n"
    assert fill_tables(text, "README.md", SPECS, []) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: best -->\n", "README.md: a '<!-- table: ... -->' without its"),
        (DOCUMENT.replace("best", "mesured"), "README.md: there is no table 'mesured'.*measured"),
    ],
)
def test_bad_markers(text: str, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        fill_tables(text, "README.md", SPECS, [])


@pytest.mark.parametrize("name", TABLES)
def test_every_table_has_rows(name: str) -> None:
    results = [example_result(), example_result(protocol="timm", top1=74.75)]
    table = TABLES[name](SPECS, results, "docs")
    assert len(table) > 100
    assert table.endswith("\n")
