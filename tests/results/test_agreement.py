from __future__ import annotations

import dataclasses

import pytest
from examples import example_result

from densezoo.errors import ResultError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.results.agreement import Agreement, check_expected, compare_with_published
from densezoo.types import ModelSpec, ReportedResult, WeightSource

SPEC = ModelSpec(
    name="densenet121.tv_in1k",
    publisher="torchvision",
    config="configs/densenet121.py",
    architecture=DenseNetArchitecture(),
    protocol="torchvision",
    num_params=7_978_856,
    flops={},
    metafiles=("metafiles/torchvision.yml",),
    weights=(WeightSource("torch", "pickle", hash_prefix="a639ec97"),),
    reported=(
        ReportedResult("imagenet1k", "torchvision", 74.434, 91.972, "torchvision", "densenet.py"),
        ReportedResult("imagenet1k", "timm", 74.75, 92.158, "timm", "results.csv"),
    ),
)
LUA = dataclasses.replace(
    SPEC,
    name="densenet121.lua_in1k",
    weights=(),
    reported=(ReportedResult("imagenet1k", "torch7", 75.0, None, "authors", "README"),),
)


def measured(correct: int, **values: object) -> Agreement:
    total = values.get("num_samples", 50000)
    return compare_with_published(example_result(correct1=correct, top1=100 * correct / total, **values), [SPEC, LUA])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("correct", "agrees"), [(37217, True), (37222, True), (37223, False), (37212, True), (37211, False)]
)
def test_five_images_in_50000_are_rounding_and_six_are_not(correct: int, agrees: bool) -> None:
    found = measured(correct)
    assert found.agrees is agrees
    assert "74.434 by torchvision for densenet121.tv_in1k" in str(found)
    assert ("DISAGREES" in str(found)) is not agrees


def test_of_fewer_images_than_ten_thousand_none_is_rounding() -> None:
    figure = ReportedResult("imagenet-a", "torchvision", 3.4, 15.283, "torchvision", "README")
    spec = dataclasses.replace(SPEC, reported=(figure,))

    def agrees(correct: int) -> bool | None:
        result = example_result(dataset="imagenet-a", num_samples=7500, correct1=correct)
        return compare_with_published(result, [spec]).agrees

    assert [agrees(number) for number in (254, 255, 256)] == [False, True, False]


def test_zeros_at_the_end_are_as_precise_as_the_publishers_other_figures() -> None:
    """74.75 beside 92.158 is 74.750: 37375 of 50000, and not whatever rounds to 74.75."""
    assert measured(37380, protocol="timm").agrees is True
    assert measured(37381, protocol="timm").agrees is False


def test_the_publishers_other_figures_count_and_other_publishers_do_not() -> None:
    def under(*others: ReportedResult) -> bool | None:
        reported = (ReportedResult("imagenet1k", "timm", 74.7, None, "timm", "results.csv"), *others)
        spec = dataclasses.replace(SPEC, reported=reported)
        return compare_with_published(example_result(protocol="timm", correct1=37360, top1=74.72), [spec]).agrees

    assert under() is True
    assert under(ReportedResult("imagenet1k", "caffe", 75.123, None, "shicai", "README")) is True
    assert under(ReportedResult("imagenet1k", "timm-288", 75.123, None, "timm", "results.csv")) is False


def test_one_decimal_is_a_wide_range() -> None:
    lua = dataclasses.replace(LUA, weights=SPEC.weights)

    def under(correct: int) -> bool | None:
        result = example_result(protocol="torch7", correct1=correct, top1=correct / 500)
        return compare_with_published(result, [lua]).agrees

    assert [under(n) for n in (37469, 37470, 37530, 37531)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("values", "nearest", "fact", "text"),
    [
        ({"protocol": "timm-288"}, "timm", "protocol", "timm, here timm-288"),
        ({"protocol": "timm-288"}, "timm", "image size", "224 px, here 288 px"),
        ({"precision": "bfloat16"}, "torchvision", "precision", "float32, here bfloat16"),
        ({"num_samples": 49999}, "torchvision", "number of images", "50000, here 49999"),
        ({"tta": "ten-crop"}, "torchvision", "test-time augmentation", "none, here ten-crop"),
        ({"subset": "fog/1"}, "torchvision", "subset", "the whole dataset, here fog/1"),
        ({"weights_sha256": "b" * 64}, "torchvision", "weights",
         "densenet121.tv_in1k, sha256 a639ec97..., here sha256 bbbbbbbb..."),
    ],
)  # fmt: skip
def test_what_differs_is_named(values: dict[str, object], nearest: str, fact: str, text: str) -> None:
    found = measured(37300, **values)
    assert found.agrees is None
    assert found.nearest is not None
    assert found.nearest.reported.protocol == nearest
    assert found.differences[fact] == text
    assert f"    {fact}: {text}" in str(found).splitlines()


def test_the_fewest_differences_are_nearest_before_the_number() -> None:
    found = measured(37500, protocol="caffe")  # the authors' 75.0 to the image, but weights and protocol aren't theirs
    assert found.nearest is not None
    assert found.nearest.spec is SPEC
    assert list(found.differences) == ["protocol"]


def test_nothing_is_published_for_another_network_or_dataset() -> None:
    for values in ({"dataset": "digits"}, {"config": "mine.py", "weights_sha256": "b" * 64}):
        assert str(measured(37217, **values)) == "  published: nothing for this network on this dataset"


def test_the_verdict_in_a_few_words() -> None:
    assert measured(37217).briefly() == "agrees with 74.434 (torchvision)"
    assert measured(37300).briefly() == "DISAGREES with 74.434 (torchvision) by 83 images"
    assert (
        measured(37300, tta="flip").briefly()
        == "not comparable with 74.434 (torchvision): other test-time augmentation"
    )
    assert measured(37300, dataset="digits").briefly() == "nothing published"


@pytest.mark.parametrize(("expect", "tolerance"), [(74.434, 0.0), (74.454, 0.02), (74.4, 0.04)])
def test_within_the_tolerance(expect: float, tolerance: float) -> None:
    check_expected([example_result()], expect, tolerance)


def test_the_bound_itself_is_within() -> None:
    assert 94.54 - 94.52 > 0.02  # in floats
    check_expected([example_result(top1=94.54)], 94.52, 0.02)


@pytest.mark.parametrize(("expect", "tolerance"), [(74.44, 0.0), (74.455, 0.02), (float("nan"), 1.0), (74.434, -1.0)])
def test_outside_the_tolerance(expect: float, tolerance: float) -> None:
    with pytest.raises(ResultError, match=r"found 74\.4340 under torchvision \(37217 of 50000\)"):
        check_expected([example_result()], expect, tolerance)


def test_weights_that_are_known_by_word_are_compared_with_their_model_s_figures() -> None:
    values = {"model": LUA.name, "weights_sha256": "b" * 64, "protocol": "torch7"}
    lua = dataclasses.replace(LUA, weights=(WeightSource("torch7", "t7"),))
    result = example_result(correct1=37500, top1=75.0, **values)
    assert compare_with_published(result, [SPEC, lua]).agrees is None
    assert compare_with_published(dataclasses.replace(result, weights_known_by="user"), [SPEC, lua]).agrees is True


@pytest.mark.parametrize("dataset", ["imagenet1k", "digits"])
def test_a_sample_agrees_with_nothing(dataset: str) -> None:
    """Not even where its accuracy is the published one, and nothing says how many images the dataset has."""
    reported = (ReportedResult(dataset, "timm", 74.0, None, "timm", "results.csv"),)
    spec = dataclasses.replace(SPEC, reported=reported)
    changed = {"dataset": dataset, "protocol": "timm", "num_samples": 50, "correct1": 37, "top1": 74.0}
    whole, sample = (example_result(**changed, sampled_from=number) for number in (None, 50000))
    assert compare_with_published(whole, [spec]).agrees is (None if dataset == "imagenet1k" else True)
    found = compare_with_published(sample, [spec])
    assert (found.agrees, found.differences) == (None, {"number of images": "50000, here 50"})
