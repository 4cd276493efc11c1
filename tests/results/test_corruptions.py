"""ImageNet-C's means, by hand and as published for AlexNet; and its table."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest
from examples import example_result

from densezoo.data.layouts.imagenet_c import CORRUPTIONS, EXTRA, SEVERITIES
from densezoo.index.load import load_index
from densezoo.results.corruptions import ALEXNET_ERRORS, corruption_errors, mean_corruption_error, mean_error
from densezoo.results.pages import result_pages
from densezoo.results.summary import matrix
from densezoo.results.tables import corruption_table
from densezoo.results.weight_pages import weight_pages
from densezoo.types import EvalResult

SPECS = load_index()


def result(corruption: str, severity: str, error: float, **values: object) -> EvalResult:
    correct = round(50_000 * (1 - error / 100))
    return example_result(dataset="imagenet-c", subset=f"{corruption}/{severity}", correct1=correct, **values)


def alexnet(scale: float = 1.0, **values: object) -> list[EvalResult]:
    """75 results whose errors are AlexNet's, easier at the first severity than at the last."""
    return [
        result(name, severity, scale * (error + int(severity) - 3), **values)
        for name, error in ALEXNET_ERRORS.items()
        for severity in SEVERITIES
    ]


def test_alexnet_s_errors_are_those_of_the_paper() -> None:
    """Its table 1 rounds them to whole percents."""
    assert tuple(ALEXNET_ERRORS) == CORRUPTIONS
    published = [89, 89, 92, 82, 83, 79, 80, 87, 83, 82, 56, 85, 65, 72, 61]
    assert [round(error) for error in ALEXNET_ERRORS.values()] == published


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_alexnet_s_mean_corruption_error_is_100_and_half_of_its_errors_make_50(scale: float) -> None:
    errors = corruption_errors(alexnet(scale))
    assert errors == pytest.approx({name: scale * error for name, error in ALEXNET_ERRORS.items()}, abs=1e-3)
    assert mean_corruption_error(errors) == pytest.approx(100 * scale, abs=1e-3)
    assert mean_error(errors) == pytest.approx(scale * sum(ALEXNET_ERRORS.values()) / 15, abs=1e-3)


def test_errors_are_divided_corruption_by_corruption() -> None:
    errors = dict.fromkeys(CORRUPTIONS, 10.0)
    assert mean_error(errors) == pytest.approx(10)
    by_hand = sum(1000 / error for error in ALEXNET_ERRORS.values()) / 15
    assert mean_corruption_error(errors) == pytest.approx(by_hand)
    assert mean_corruption_error({**errors, "spatter": 99.0}) == pytest.approx(by_hand)  # extra ones don't count


@pytest.mark.parametrize("missing", [0, 37, 74])
def test_without_one_of_the_75_there_is_no_mean(missing: int) -> None:
    results = alexnet()
    gone = str(results.pop(missing).subset).partition("/")[0]
    errors = corruption_errors(results)
    assert set(errors) == set(CORRUPTIONS) - {gone}
    assert mean_error(errors) is None
    assert mean_corruption_error(errors) is None


def cells(results: Sequence[EvalResult]) -> list[dict[str, str]]:
    lines = [line for line in corruption_table(SPECS.values(), results).splitlines() if line.startswith("|")]
    header, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in (lines[0], *lines[2:])]
    return [dict(zip(header, row)) for row in rows]


def test_the_table_has_a_row_a_model_and_protocol() -> None:
    other = [result("fog", severity, 40, protocol="timm") for severity in SEVERITIES]
    extra = [result(EXTRA[2], severity, 70, protocol="timm") for severity in SEVERITIES]
    strangers = [*alexnet(weights_sha256="0" * 64), example_result()]
    first, second = cells([*alexnet(), *other, *extra, *strangers])
    assert list(first) == [
        "model", "protocol", "measured", "images a set", "mCE", "mean error",
        *(name.replace("_", " ") for name in CORRUPTIONS), "spatter",
    ]  # fmt: skip
    assert (first["protocol"], first["mCE"], first["mean error"], first["fog"]) == (
        "torchvision",
        "100.00",
        "78.90",
        "81.93",
    )
    assert (first["measured"], first["images a set"], first["spatter"]) == ("75 of 75 sets", "50,000", "")
    assert (second["protocol"], second["mCE"], second["fog"], second["spatter"]) == ("timm", "", "40.00", "70.00")
    assert second["measured"] == "5 of 75 sets"
    assert [row["protocol"] for row in cells([result("fog", "1", 40, tta="flip")])] == ["torchvision+flip"]


def test_means_are_of_one_file_of_weights_and_marked_by_what_is_known_least() -> None:
    spec = next(spec for spec in SPECS.values() if spec.weights and not any(w.is_hashed for w in spec.weights))
    mine, others = (
        alexnet(model=spec.name, config=spec.config, weights_sha256=digit * 64, weights_known_by=known_by)
        for digit, known_by in (("a", "user"), ("b", "first-use-hash"))
    )
    rows = cells([*mine[:40], *others[40:]])
    assert ["mCE" in row for row in rows] == [False, False]
    better = [dataclasses.replace(mine[0], weights_known_by="first-use-hash"), *mine[1:]]
    assert [row["model"] for row in cells(better)] == [f"{spec.name} [b]"]


def test_it_stands_on_its_page_and_in_cards() -> None:
    page = result_pages(SPECS, alexnet())["imagenet-c"]
    assert "| 100.00 | 78.90" in page
    assert "the mean over 15 corruptions of the error in percent of AlexNet's" in page
    card = weight_pages(SPECS.values(), alexnet())["densenet121"]
    assert "ImageNet-C:\n\n| model " in card
    assert card.count("imagenet-c") == 0  # no row of its own for each of 75 sets
    assert "ImageNet-C" not in weight_pages(SPECS.values(), [example_result()])["densenet121"]


def test_the_terminal_shows_all_side_by_side_and_the_means_at_the_end() -> None:
    lines = matrix(alexnet()).splitlines()
    assert lines[0] == "densenet121.tv_in1k on imagenet-c, 3,750,000 images in 92587.5 s"
    assert len(lines) == 1 + 75 + 1
    assert lines[-1] == "  torchvision: mean error 78.90 %, mean corruption error (AlexNet: 100) 100.00"
    assert "mean" not in matrix(alexnet()[1:])
