from __future__ import annotations

import dataclasses

import pytest
from examples import example_result

from densezoo.errors import ResultError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.index.load import load_index
from densezoo.results.tables import dataset_table, fill_tables
from densezoo.types import ModelSpec, ReportedResult, WeightSource

SPEC = ModelSpec(
    name="densenet121.tv_in1k",
    publisher="torchvision",
    config="configs/densenet121.py",
    architecture=DenseNetArchitecture(),
    protocol="torchvision",
    num_params=7_978_856,
    flops={"torchvision": 2_834_161_664},
    metafiles=("metafiles/torchvision.yml",),
    weights=(WeightSource("torch", "pickle", hash_prefix="a639ec97"),),
    reported=(
        ReportedResult("imagenet1k", "torchvision", 74.434, 91.972, "torchvision", "densenet.py"),
        ReportedResult("imagenet1k", "timm", 74.75, None, "timm", "results.csv"),
        ReportedResult("cifar10+", "cifar10", 95.49, None, "somebody", "README"),
    ),
    code="https://example.org",
)


def rows(dataset: str, *results: object) -> list[list[str]]:
    lines = dataset_table(dataset, [SPEC], results).splitlines()  # type: ignore[arg-type]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def test_published_and_measured_side_by_side() -> None:
    header, torchvision, timm, mmpretrain = rows(
        "imagenet1k", example_result(), example_result(protocol="mmpretrain", top1=75.0)
    )
    assert header == [
        "model", "weights", "parameters", "FLOPs (counted as)", "protocol", "published top-1", "published top-5",
        "published by", "measured top-1", "measured top-5", "images", "date",
    ]  # fmt: skip
    about = ["densenet121.tv_in1k", "[torchvision](https://example.org)", "7,978,856", "2,834,161,664 (torchvision)"]
    measured = ["74.43 (74.05 to 74.81)", "91.97 (91.73 to 92.21)", "50,000", "2026-11-20"]
    assert torchvision == [*about, "torchvision", "74.434", "91.972", "torchvision", *measured]
    assert timm == [*about, "timm", "74.75", "", "timm", "", "", "", ""]
    assert mmpretrain == [*about, "mmpretrain", "", "", "", "75.00 (74.05 to 74.81)", *measured[1:]]


def test_a_plus_is_the_same_test_set() -> None:
    assert [row[7] for row in rows("cifar10")[1:]] == ["somebody (+)"]


def test_other_weights_under_the_same_name_are_left_out() -> None:
    assert rows("imagenet1k", example_result(weights_sha256="0" * 64))[1][8] == ""
    assert rows("imagenet1k", example_result(model="densenet169.tv_in1k"))[1][8] == ""


DOCUMENT = "# Results\n\n<!-- table: imagenet1k -->\nstale\n<!-- end of table -->\n\nend\n"


def test_only_what_is_between_the_markers_changes() -> None:
    filled = fill_tables(DOCUMENT, "README.md", {SPEC.name: SPEC}, [example_result()])
    assert filled.startswith("# Results\n\n<!-- table: imagenet1k -->\n| model ")
    assert filled.endswith("|\n<!-- end of table -->\n\nend\n")
    assert "stale" not in filled
    assert fill_tables(filled, "README.md", {SPEC.name: SPEC}, [example_result()]) == filled


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<!-- table: imagenet1k -->\n", "README.md: a '<!-- table: ... -->' without its"),
        (DOCUMENT.replace("imagenet1k", "mnist"), "no measured result for a table of 'mnist'"),
    ],
)
def test_bad_markers(text: str, message: str) -> None:
    with pytest.raises(ResultError, match=message):
        fill_tables(text, "README.md", {SPEC.name: SPEC}, [])


def test_an_unmeasured_cell_is_empty() -> None:
    unreported = dataclasses.replace(SPEC, reported=())
    with pytest.raises(ResultError):
        dataset_table("imagenet1k", [unreported], [])


def test_one_file_of_weights_under_several_protocols() -> None:
    results = [
        example_result(protocol="timm", top1=74.75),
        example_result(),
        example_result(tta="flip", top1=80.0),
        example_result(protocol="caffe", weights_sha256="0" * 64),
        example_result(dataset="imagenet-real", protocol="caffe"),
    ]
    text = "<!-- table: imagenet1k/protocols -->\nold\n<!-- end of table -->\n"
    header, _, row = fill_tables(text, "README.md", {SPEC.name: SPEC}, results).splitlines()[1:-1]
    assert [cell.strip() for cell in header.strip("|").split("|")] == ["weights", "torchvision", "timm"]
    cells = [SPEC.name, "74.43 (74.05 to 74.81)", "74.75 (74.05 to 74.81)"]
    assert [cell.strip() for cell in row.strip("|").split("|")] == cells
    with pytest.raises(ResultError, match="no weights measured under two protocols .* 'imagenet1k/protocols'"):
        fill_tables(text, "README.md", {SPEC.name: SPEC}, results[1:])


def test_augmented_results_are_rows_of_their_own() -> None:
    found = rows("imagenet1k", example_result(), example_result(tta="ten-crop", top1=75.5))
    assert [row[4] for row in found[1:]] == ["torchvision", "timm", "torchvision+ten-crop"]
    assert found[1][8].startswith("74.43")
    assert found[3][8].startswith("75.50")


def test_another_backend_or_precision_hides_nothing() -> None:
    """Neither in the rows of a dataset nor among the protocols, whichever comes first."""
    reference = [example_result(), example_result(protocol="timm", top1=74.75)]
    others = [
        example_result(backend="openvino", top1=60.0),
        example_result(backend="openvino", protocol="timm", top1=61.0),
        example_result(precision="bfloat16", top1=62.0),
    ]
    for results in (reference + others, others + reference):
        found = {row[4]: row[8][:5] for row in rows("imagenet1k", *results)[1:]}
        assert found == {
            "torchvision": "74.43",
            "timm": "74.75",
            "torchvision+openvino": "60.00",
            "timm+openvino": "61.00",
            "torchvision+bfloat16": "62.00",
        }
        text = "<!-- table: imagenet1k/protocols -->\nold\n<!-- end of table -->\n"
        lines = fill_tables(text, "README.md", {SPEC.name: SPEC}, results).splitlines()[3:-1]
        cells = {line.split("|")[1].strip(): [cell.strip()[:5] for cell in line.split("|")[2:4]] for line in lines}
        assert cells == {SPEC.name: ["74.43", "74.75"], f"{SPEC.name}+openvino": ["60.00", "61.00"]}


def test_how_weights_are_known_is_shown_where_no_hash_is_published() -> None:
    unhashed = dataclasses.replace(SPEC, weights=(*SPEC.weights, WeightSource("torch", "safetensors")))

    def table(spec: ModelSpec, **values: object) -> str:
        return dataset_table("imagenet1k", [spec], [example_result(**values)])

    other = {"weights_sha256": "0" * 64}
    assert "] " not in table(unhashed, weights_known_by="published-hash").replace("](", "")
    first = table(unhashed, **other, weights_known_by="first-use-hash")
    assert "| 74.43 (74.05 to 74.81) [a] |" in first
    assert "\n[a] the publisher states no hash; " in first
    assert "[b]" not in first
    word = table(unhashed, **other, weights_known_by="user")
    assert "| 74.43 (74.05 to 74.81) [b] |" in word
    assert "\n[b] no hash says whose the weights are; " in word
    for spec, values in (
        (SPEC, {"weights_known_by": "user"}),  # its publisher states the hash of its only file, and it is another one
        (unhashed, {}),
        (unhashed, {"weights_known_by": "user", "model": "densenet169.tv_in1k"}),
    ):
        assert "74.43 (" not in table(spec, **{**other, **values})


def test_every_model_with_weights_can_fill_its_cell() -> None:
    specs = {name: spec for name, spec in load_index().items() if spec.weights}
    assert len(specs) == 40
    for name, spec in specs.items():
        hashes = [source.sha256 or source.hash_prefix for source in spec.weights]
        known_by = "published-hash" if all(hashes) else "first-use-hash"
        digits = str(hashes[0]) if all(hashes) else ""
        result = example_result(model=name, weights_sha256=f"{digits:0<64}", weights_known_by=known_by)
        assert "74.43 (" in dataset_table("imagenet1k", [spec], [result]), name
