from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.index.load import load_index
from densezoo.results.cells import (
    Notes,
    base_dataset,
    file_links,
    giga_flops,
    link,
    model_link,
    percent,
    protocol_label,
    remarks,
    with_interval,
)
from densezoo.types import ReportedResult

SPECS = load_index()


def test_flops_are_those_at_the_protocols_image_size() -> None:
    assert giga_flops(SPECS["densenet121.ra_in1k"], "timm") == "2.83"
    assert giga_flops(SPECS["densenet121.ra_in1k"], "timm-288") == "4.68"
    assert giga_flops(SPECS["densenet_bc_100_12.dice_cifar10"], "none") == "0.29"
    unstated = dataclasses.replace(SPECS["densenet_bc_100_12.dice_cifar10"], flops={})
    assert giga_flops(unstated, "none") == ""


def test_links_start_in_the_documents_folder() -> None:
    assert link("docs/models/a.md", "") == "docs/models/a.md"
    assert link("docs/models/a.md", "docs/results") == "../models/a.md"
    digits = SPECS["densenet_bc_22_8.densezoo_digits"]
    assert model_link(digits, "docs") == "[densenet_bc_22_8.densezoo_digits](models/densenet_bc_22_8.md)"
    assert file_links(digits, "docs/results") == (
        "[safetensors](../../configs/digits/densenet_bc_22_8_digits.safetensors)"
    )
    assert file_links(SPECS["densenet121.lua_in1k"], "") == ""  # withdrawn
    zipped = file_links(SPECS["densenet121.pcv_in1k"], "docs/results")
    assert zipped.startswith("[pth](https://github.com/osmr/imgclsmob/releases/")
    assert zipped.endswith(" [+5](../weights/densenet121.md#files)")


def test_a_published_figure_in_words() -> None:
    figure = ReportedResult("cifar10+", None, 75.0, None, "somebody", "README", note="old", tta="ten-crop")
    assert protocol_label(figure) == "not known+ten-crop"
    assert base_dataset(figure.dataset) == "cifar10"
    assert remarks(figure) == "old"
    why = dataclasses.replace(figure, not_evaluable="no such file")
    assert remarks(why) == "old; can't be measured with densezoo: no such file"
    assert (percent(figure.top1), percent(None)) == ("75.0", "")
    assert with_interval(example_result()) == "74.43 (74.05 to 74.81)"


def test_the_same_note_has_one_number() -> None:
    notes = Notes()
    assert [notes.number(text) for text in ("a", None, "b", "a")] == ["1", "", "2", "1"]
    assert notes.text() == "\nNotes:\n\n1. a\n2. b\n"
    assert Notes().text() == ""
