from __future__ import annotations

from collections.abc import Iterable

from examples import example_result

from densezoo.index.listing import shown
from densezoo.index.load import load_index
from densezoo.results.cells import base_dataset, protocol_label
from densezoo.results.tables import published_rows
from densezoo.results.weight_pages import weight_pages
from densezoo.types import ModelSpec, ReportedResult

SPECS = load_index()
PAGES = weight_pages(SPECS.values(), [])


def current(spec: ModelSpec) -> Iterable[ReportedResult]:
    """Its published figures but for those that a newer one of the same publisher stands beside."""
    for dataset in {base_dataset(result.dataset) for result in spec.reported}:
        yield from (row.reported for row in published_rows(dataset, [spec])[0] if row.reported is not None)


def test_a_page_for_every_architecture() -> None:
    assert set(PAGES) == {spec.arch for spec in SPECS.values()}
    for arch, page in PAGES.items():
        assert page.startswith(f"# Weights of {arch}\n")
        assert f"](../models/{arch}.md)" in page


def test_a_page_has_every_current_figure_file_licence_and_note() -> None:
    for spec in SPECS.values():
        page = PAGES[spec.arch]
        lines = [line for line in page.splitlines() if f" {spec.name} |" in line]
        for result in current(spec):
            protocol = f"| {protocol_label(result)} |"
            figure = "" if result.top1 is None else f" {shown(result.top1)} |"
            assert any(protocol in line and figure in line for line in lines), (spec.name, result)
            assert (result.note or "") in page
            assert base_dataset(result.dataset) != "imagenet1k" or result.where.replace("|", "\\|") in page
        for source in spec.weights:
            assert (source.url or source.path or "") in page
            assert source.license is None or f"| {source.license} |" in page


def test_measured_figures_stand_beside_the_published_ones() -> None:
    page = weight_pages(SPECS.values(), [example_result()])["densenet121"]
    (line,) = (line for line in page.splitlines() if "74.43 (74.05 to 74.81)" in line)
    assert line.endswith("| 74.434 |")


def test_sizes_and_trainings_that_models_share_are_said_once() -> None:
    page = PAGES["densenet121"]
    (line,) = (line for line in page.splitlines() if line.startswith("- 7,978,856 parameters; FLOPs: "))
    for count in ("2,834,161,664 at 224 px as torchvision", "2,865,496,576 at 224 px as timm"):
        assert line.count(count) == 1
    assert "## How they were trained\n" in page
    assert "densenet121.lua_in1k: training data ImageNet-1k; epochs 90; batch size 256" in page


def test_an_architecture_without_files_says_so() -> None:
    assert "No weights are published.\n" in PAGES["densenet264d"]
    assert "## Accuracy" not in PAGES["densenet264d"]
