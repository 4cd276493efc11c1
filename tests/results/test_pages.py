from __future__ import annotations

import re

from examples import example_result

from densezoo.index.listing import shown
from densezoo.index.load import load_index
from densezoo.results.cells import base_dataset, protocol_label
from densezoo.results.pages import DATASETS, result_pages

SPECS = load_index()
PAGES = result_pages(SPECS, [])


def test_every_published_figure_stands_on_its_datasets_page() -> None:
    for spec in SPECS.values():
        for result in spec.reported:
            figures = [shown(value) if value is not None else "" for value in (result.top1, result.top5)]
            model = rf"(?:{re.escape(f'[{spec.name}](../models/{spec.arch}.md)')}|{spec.name})"  # an older one: no link
            protocol = re.escape(protocol_label(result))
            row = rf"^\| {figures[0]}.*{figures[1]} \| {model} \| {protocol} \| .*{re.escape(result.published_by)}"
            assert re.search(row, PAGES[base_dataset(result.dataset)], re.MULTILINE), (spec.name, result)


def test_rows_begin_with_the_highest() -> None:
    for name, page in PAGES.items():
        published = page.partition("## Published")[2].partition("## Older")[0]
        figures = [float(figure) for figure in re.findall(r"^\| ([\d.]+) \|", published, re.MULTILINE)]
        assert name == "index" or (figures and figures == sorted(figures, reverse=True)), name


def test_no_column_is_empty_throughout() -> None:
    for page in PAGES.values():
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            header, _, *rows = [line.strip("|\n").split("|") for line in table.splitlines()]
            for column in range(len(header)):
                assert any(row[column].strip() for row in rows), (header[column], table)


def test_the_index_lists_every_page() -> None:
    for name in PAGES.keys() - {"index"}:
        assert f"]({name}.md)" in PAGES["index"]
    assert "[ImageNet-1k](imagenet1k.md)" in PAGES["index"]
    assert "## The best of each architecture on ImageNet-1k\n" in PAGES["index"]


def test_a_dataset_that_was_only_measured_has_a_page() -> None:
    page = result_pages({}, [example_result(dataset="flowers")])["flowers"]
    assert page.startswith("# flowers\n")
    assert "## Published" not in page


def test_measured_figures_stand_above_the_published_ones() -> None:
    results = [example_result(), example_result(protocol="timm", top1=74.75)]
    page = result_pages(SPECS, results)["imagenet1k"]
    headings = re.findall("^## (.*)$", page, re.MULTILINE)
    assert headings == [
        "The same weights under several protocols",
        "One file of weights under several protocols",
        "Measured",
        "Published",
        "Older figures",
    ]
    assert "| 74.43 (74.05 to 74.81) | 91.97 | 50,000 | 74.434 |" in page
    assert page.startswith(f"# {DATASETS['imagenet1k'].title}\n\n<!-- Made by tools/make_tables.py")


def test_imagenet_c_has_its_own_table() -> None:
    page = result_pages(SPECS, [example_result(dataset="imagenet-c", subset="fog/1")])["imagenet-c"]
    assert "mCE, the mean corruption error" in page
