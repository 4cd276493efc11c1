from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.index.load import load_index
from densezoo.results.by_protocol import measured_by_protocol, ported_trainings, published_by_protocol, ranked_protocols

SPECS = load_index()
SPEC = SPECS["densenet121.tv_in1k"]


def cells(table: str) -> list[list[str]]:
    """The header and the rows of a table in Markdown; what stands below it is left out."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_one_file_of_weights_under_several_protocols() -> None:
    results = [
        example_result(protocol="timm", top1=74.75),
        example_result(),
        example_result(tta="flip", top1=80.0),
        example_result(protocol="caffe", weights_sha256="0" * 64),
        example_result(dataset="imagenet-real", protocol="caffe"),
        example_result(subset="fog/1", protocol="mxnet", top1=60.0),
        example_result(subset="fog/1", protocol="keras", top1=61.0),
    ]
    header, *rows = cells(measured_by_protocol("imagenet1k", [SPEC], results))
    assert header == ["protocol", SPEC.name]
    assert rows == [["`torchvision`", "74.43"], ["`timm`", "74.75"]]
    assert measured_by_protocol("imagenet1k", [SPEC], results[1:]) == ""


def test_the_seven_published_accuracies_of_one_training() -> None:
    header, *rows = cells(published_by_protocol("imagenet1k", SPECS, "lua_in1k"))
    assert header == ["protocol", "how it resizes", "densenet121", "densenet161", "densenet169", "densenet201"]
    figures = {row[0].strip("`"): row[2] for row in rows}
    seven = {
        "torch7": "75.0",
        "keras": "74.972",
        "mmpretrain": "74.96",
        "caffe": "74.91",
        "mxnet": "74.84",
        "timm": "74.750",
        "torchvision": "74.434",
    }
    assert {name: figure for name, figure in figures.items() if name in seven} == seven
    assert next(iter(figures)) == "torch7"
    order = list(figures)
    assert order.index("mmpretrain") < order.index("timm") < order.index("torchvision")  # by all four columns
    assert {row[0].strip("`"): row[1] for row in rows}["timm"] == "bicubic, Pillow, antialias"
    training = SPECS["densenet121.lua_in1k"]
    assert published_by_protocol("imagenet1k", {training.name: training}) == ""


def test_every_training_of_which_there_are_ports() -> None:
    by_tag = ported_trainings("imagenet1k", SPECS)
    assert list(by_tag["lua_in1k"]) == ["densenet121", "densenet161", "densenet169", "densenet201"]
    assert ranked_protocols(by_tag["lua_in1k"])[0] == "torch7"
    assert ported_trainings("digits", SPECS) == {}


def test_a_figure_of_several_views_is_not_the_protocol_s() -> None:
    training = SPECS["densenet121.lua_in1k"]
    ten = dataclasses.replace(training.reported[0], tta="ten-crop", top1=99.0)
    specs = {**SPECS, training.name: dataclasses.replace(training, reported=(ten, *training.reported))}
    assert ported_trainings("imagenet1k", specs) == ported_trainings("imagenet1k", SPECS)
