from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.backends.base import BACKENDS
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.index.load import load_index
from densezoo.results.by_protocol import measured_by_protocol
from densezoo.results.cells import Notes
from densezoo.results.tables import (
    backends_table,
    best_table,
    corruption_table,
    counts,
    dataset_rows,
    measured_table,
    older_table,
    published_table,
    top1_by_dataset,
)
from densezoo.types import EvalResult, ModelSpec, ReportedResult, WeightSource

SPEC = ModelSpec(
    name="densenet121.tv_in1k",
    publisher="torchvision",
    config="configs/densenet121.py",
    architecture=DenseNetArchitecture(),
    protocol="torchvision",
    num_params=7_978_856,
    flops={"torchvision": 2_834_161_664},
    metafiles=("metafiles/torchvision.yml",),
    image_size=224,
    weights=(
        WeightSource("torch", "pickle", url="https://example.org/a.pth", hash_prefix="a639ec97"),
        WeightSource("torch7", "t7", url="https://example.org/b.t7", hash_prefix="b0b0b0b0", withdrawn="2024: gone"),
    ),
    reported=(
        ReportedResult("imagenet1k", "torchvision", 74.434, 91.972, "torchvision", "densenet.py", note="on one GPU"),
        ReportedResult("imagenet1k", "timm", 74.75, None, "timm", "results.csv"),
        ReportedResult("cifar10+", "cifar10", 95.49, None, "somebody", "README"),
        ReportedResult("cifar10", "cifar10", 94.08, None, "somebody", "README"),
        ReportedResult("imagenet-a", None, None, 22.5, "else", "a paper", not_evaluable="nobody knows the protocol"),
    ),
    code="https://example.org",
)
SPECS = load_index()


def cells(table: str) -> list[list[str]]:
    """The header and the rows of a table in Markdown; what stands below it is left out."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]


def measured(*results: EvalResult) -> list[list[str]]:
    return cells(measured_table([SPEC], results, "imagenet1k"))


def test_published_figures_are_sorted_with_links_to_card_and_files() -> None:
    header, timm, torchvision = cells(published_table("imagenet1k", [SPEC], "docs/results"))
    assert header == [
        "top-1", "top-5", "model", "protocol", "published by", "params (M)", "FLOPs (G)", "files", "note",
    ]  # fmt: skip
    model, file = "[densenet121.tv_in1k](../models/densenet121.md)", "[pth](https://example.org/a.pth)"
    assert timm == ["74.75", "", model, "timm", "timm", "7.98", "2.83", file, ""]
    assert torchvision == ["74.434", "91.972", model, "torchvision", "torchvision", "7.98", "2.83", file, "1"]
    assert published_table("imagenet1k", [SPEC]).endswith("\nNotes:\n\n1. on one GPU\n")
    assert published_table("imagenet-r", [SPEC]) == ""


def test_older_figures_of_a_publisher_stand_apart() -> None:
    older = dataclasses.replace(SPEC.reported[0], top1=99.0, note="older table, 2020")
    elsewhere = dataclasses.replace(older, published_by="somebody else", note=None)
    spec = dataclasses.replace(SPEC, reported=(*SPEC.reported, older, elsewhere))
    assert [row[0] for row in cells(published_table("imagenet1k", [spec]))[1:]] == ["99.0", "74.75", "74.434"]
    assert cells(older_table("imagenet1k", [spec])) == [
        ["top-1", "top-5", "model", "protocol", "published by", "note"],
        ["99.0", "91.972", SPEC.name, "torchvision", "torchvision", "older table, 2020"],
    ]
    assert older_table("imagenet1k", [SPEC]) == ""
    assert (
        cells(best_table("imagenet1k", [dataclasses.replace(spec, reported=(SPEC.reported[0], older))]))[1][0]
        == "74.434"
    )


def test_a_plus_is_the_same_test_set() -> None:
    header, plus, plain = cells(published_table("cifar10", [SPEC]))
    assert "top-5" not in header  # nobody published one
    assert [dict(zip(header, row))["trained on"] for row in (plus, plain)] == ["cifar10+", ""]


def test_a_figure_that_nobody_can_measure_says_why() -> None:
    header, row = cells(published_table("imagenet-a", [SPEC]))
    assert "top-1" not in header
    assert dict(zip(header, row))["protocol"] == "not known"
    assert "1. can't be measured with densezoo: nobody knows the protocol\n" in published_table("imagenet-a", [SPEC])


def test_the_highest_figure_of_each_architecture() -> None:
    other = dataclasses.replace(
        SPEC, name="densenet121.other", reported=(dataclasses.replace(SPEC.reported[0], top1=80.0),)
    )
    small = dataclasses.replace(SPEC, name="densenet169.x", reported=(SPEC.reported[0],))
    rows = cells(best_table("imagenet1k", [SPEC, small, other]))[1:]
    assert [row[:3] for row in rows] == [
        ["80.0", "91.972", "[densenet121.other](docs/models/densenet121.md)"],
        ["74.434", "91.972", "[densenet169.x](docs/models/densenet169.md)"],
    ]
    assert len(cells(best_table("imagenet1k", [SPEC, small, other], number=1))) == 2


def test_top1_of_several_datasets_side_by_side() -> None:
    notes = Notes()
    header, *rows = cells(top1_by_dataset(["imagenet1k", "cifar10"], [SPEC], notes))
    assert header == ["model", "protocol", "imagenet1k", "cifar10", "note"]
    assert rows == [
        [SPEC.name, "torchvision", "74.434", "", "1"],
        [SPEC.name, "timm", "74.75", "", ""],
        [SPEC.name, "cifar10", "", "95.49", ""],
        [SPEC.name, "cifar10", "", "94.08", ""],
    ]
    assert notes.text() == "\nNotes:\n\n1. on one GPU\n"


def test_measured_beside_published() -> None:
    header, mmpretrain, torchvision = measured(example_result(), example_result(protocol="mmpretrain", top1=75.0))
    assert header == ["model", "protocol", "top-1 (95 % interval)", "top-5", "images", "published top-1"]
    again = dataclasses.replace(SPEC, reported=(SPEC.reported[0], dataclasses.replace(SPEC.reported[0], top1=74.65)))
    assert measured_table([SPEC], [example_result()]).endswith("\nMeasured on: a machine that they don't name (1).\n")
    assert len(cells(measured_table([again], [example_result()]))) == 2  # beside the first of several figures alone
    link = "[densenet121.tv_in1k](docs/models/densenet121.md)"
    assert torchvision == [link, "torchvision", "74.43 (74.05 to 74.81)", "91.97", "50,000", "74.434"]
    assert mmpretrain == [link, "mmpretrain", "75.00 (74.05 to 74.81)", "91.97", "50,000", ""]
    everywhere = cells(measured_table([SPEC], [example_result(), example_result(dataset="imagenet-r")]))
    assert [row[0] for row in everywhere] == ["dataset", "imagenet-r", "imagenet1k"]


def test_the_highest_of_each_dataset() -> None:
    protocols = {"mmpretrain": 75.0, "timm": 74.0}
    results = [example_result(protocol=name, top1=top1) for name, top1 in protocols.items()]
    rows = cells(measured_table([SPEC], [*results, example_result(dataset="imagenet-r")], number=1))
    assert [row[:3:2] for row in rows[1:]] == [["imagenet-r", "torchvision"], ["imagenet1k", "mmpretrain"]]


def test_other_weights_under_the_same_name_are_left_out() -> None:
    assert measured_table([SPEC], [example_result(weights_sha256="0" * 64)]) == ""
    assert measured_table([SPEC], [example_result(model="densenet169.tv_in1k")]) == ""


def test_augmented_results_are_rows_of_their_own() -> None:
    found = measured(example_result(), example_result(tta="ten-crop", top1=75.5))
    assert [row[1:3] for row in found[1:]] == [
        ["torchvision+ten-crop", "75.50 (74.05 to 74.81)"],
        ["torchvision", "74.43 (74.05 to 74.81)"],
    ]
    crops = dataclasses.replace(SPEC.reported[0], tta="ten-crop", top1=76.0)
    spec = dataclasses.replace(SPEC, reported=(*SPEC.reported, crops))
    rows = dataset_rows("imagenet1k", [spec], [example_result(tta="ten-crop", top1=75.5)])
    assert [(row.label, row.measured is not None) for row in rows] == [
        ("torchvision", False),
        ("timm", False),
        ("torchvision+ten-crop", True),
    ]


def test_another_backend_or_precision_hides_nothing() -> None:
    """Neither in the rows of a dataset nor among the protocols, whichever comes first."""
    reference = [example_result(), example_result(protocol="timm", top1=74.75)]
    others = [
        example_result(backend="openvino", top1=60.0),
        example_result(backend="openvino", protocol="timm", top1=61.0),
        example_result(precision="bfloat16", top1=62.0),
    ]
    for results in (reference + others, others + reference):
        assert {row[1]: row[2][:5] for row in measured(*results)[1:]} == {
            "torchvision": "74.43",
            "timm": "74.75",
            "torchvision+openvino": "60.00",
            "timm+openvino": "61.00",
            "torchvision+bfloat16": "62.00",
        }
        table = {
            name: [cell[:5] for cell in own]
            for name, *own in zip(*cells(measured_by_protocol("imagenet1k", [SPEC], results)))
        }
        assert table.pop("protocol") == ["`torc", "`timm"]
        assert table == {SPEC.name: ["74.43", "74.75"], f"{SPEC.name}+openvino": ["60.00", "61.00"]}


def test_how_weights_are_known_is_shown_where_no_hash_is_published() -> None:
    unhashed = dataclasses.replace(SPEC, weights=(*SPEC.weights, WeightSource("torch", "safetensors")))

    def table(spec: ModelSpec, **values: object) -> str:
        return measured_table([spec], [example_result(**values)])

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
    specs = {name: spec for name, spec in SPECS.items() if spec.weights}
    assert len(specs) > 50
    for name, spec in specs.items():
        stated = [source.stated_hashes for source in spec.weights]
        known_by = "published-hash" if all(stated) else "first-use-hash"
        sha256 = next((each for hashes in stated for each in hashes if each.sha256 and not each.of), None)
        digits = sha256.digits if sha256 and all(stated) else ""
        result = example_result(model=name, weights_sha256=f"{digits:0<64}", weights_known_by=known_by)
        assert "74.43 (" in measured_table([spec], [result]), name


def test_the_sentence_on_what_the_index_has() -> None:
    text = counts(
        [SPEC, dataclasses.replace(SPEC, name="densenet121.other", weights=(), reported=())], [example_result()]
    )
    assert text == (
        "The index has 1 architectures, 2 sets of weights of them with 2 published files, and 5 published accuracies "
        "under 3 protocols. 1 of these sets were measured by us.\n"
    )


def test_measurements_of_other_weights_count_for_nothing() -> None:
    other = example_result(weights_sha256="0" * 64, weights_known_by="published-hash")
    assert "0 of these sets were measured by us" in counts([SPEC], [other])
    corrupted = dataclasses.replace(example_result(), dataset="imagenet-c", subset="fog/1")
    assert SPEC.name in corruption_table([SPEC], [corrupted])
    assert corruption_table([SPEC], [dataclasses.replace(corrupted, weights_sha256="0" * 64)]) == ""


def test_every_backend_stands_with_its_precisions_and_extra() -> None:
    lines = backends_table().splitlines()
    assert len(lines) == 2 + len(BACKENDS)
    (openvino,) = (line for line in lines if line.startswith("| `openvino` |"))
    assert openvino.endswith("| float32 (1e-05), bf16 (0.1), int8 (1) | `openvino` |")
    assert all(entry.words for entry in BACKENDS.values())
