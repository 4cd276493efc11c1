"""What the index knows of a file and of a model, as one asks it."""

from __future__ import annotations

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import ModelSpec, ReportedResult, WeightSource


def test_a_file_is_recognised_by_its_whole_sha256_or_by_the_published_prefix() -> None:
    digest = "deaefd08" + "0" * 56
    assert WeightSource("torch", "pickle", sha256=digest).is_file(digest)
    assert not WeightSource("torch", "pickle", sha256=digest).is_file("deaefd08" + "1" * 56)
    assert WeightSource("torch", "pickle", hash_prefix="deaefd08").is_file(digest)
    assert not WeightSource("torch", "pickle", hash_prefix="deaefd09").is_file(digest)
    assert not WeightSource("torch", "pickle").is_file(digest)


def test_whether_a_publisher_states_a_hash() -> None:
    assert WeightSource("torch", "pickle", sha256="0" * 64).is_hashed
    assert WeightSource("torch", "pickle", hash_prefix="deaefd08").is_hashed
    assert not WeightSource("torch", "pickle", url="https://example.org/densenet121-deaefd08.pth").is_hashed


def spec(name: str, protocol: str, *reported: ReportedResult) -> ModelSpec:
    return ModelSpec(
        name, "p", "configs/densenet121.py", DenseNetArchitecture(), protocol, 1, {}, (), reported=reported
    )


def test_a_name_is_an_architecture_and_whose_training() -> None:
    assert (spec("densenet121.tv_in1k", "p").arch, spec("densenet121.tv_in1k", "p").tag) == ("densenet121", "tv_in1k")
    assert (spec("a.b.c", "p").arch, spec("a.b.c", "p").tag) == ("a", "b.c")


def test_the_headline_is_the_first_figure_under_the_weights_own_protocol() -> None:
    results = [
        ReportedResult("imagenet1k", name, top1, None, "p", "w") for name, top1 in (("a", 70), ("b", 71), ("b", 72))
    ]
    assert spec("m.t", "b", *results).headline is results[1]
    assert spec("m.t", "c", *results).headline is results[0]
    assert spec("m.t", "a").headline is None
