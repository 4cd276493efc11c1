"""Whose weights a result is of: by a published hash, by what the result knows, or not at all."""

from __future__ import annotations

import itertools

import pytest
from examples import example_result

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.results.weights import MARKS, has_weights_of, legend, mark, strength, weakest_mark
from densezoo.types import FileHash, ModelSpec, WeightSource

DIGEST = example_result().weights_sha256
HASHED = WeightSource("torch", "pickle", hash_prefix=DIGEST[:8])
OTHERS = WeightSource("torch", "pickle", sha256="0" * 64)
UNHASHED = WeightSource("torch", "safetensors")
ZIPPED = WeightSource("torch", "pickle in zip", hashes=(FileHash(sha1=DIGEST[:8], of="f.pth"),))
MINE, ELSE = "densenet121.tv_in1k", "densenet169.tv_in1k"


def spec(*weights: WeightSource) -> ModelSpec:
    return ModelSpec(MINE, "p", "c", DenseNetArchitecture(), "timm", 1, {}, (), weights=weights)


@pytest.mark.parametrize(
    ("weights", "model", "known_by", "expected"),
    [
        ((HASHED,), MINE, "published-hash", True),
        ((HASHED,), ELSE, None, True),  # whatever it was called when it was measured
        ((OTHERS, HASHED), MINE, None, True),
        ((UNHASHED,), MINE, "user", True),
        ((UNHASHED,), MINE, "first-use-hash", True),
        ((OTHERS, UNHASHED), MINE, "user", True),  # it may be the second file
        ((), MINE, "user", True),
        ((UNHASHED,), ELSE, "user", False),
        ((UNHASHED,), MINE, None, False),
        ((UNHASHED,), MINE, "published-hash", False),  # the hash was one of another list of files
        ((ZIPPED,), MINE, "published-hash", True),  # a sha1, which was held against the file when it was measured
        ((ZIPPED,), ELSE, "published-hash", False),
        ((ZIPPED,), MINE, "user", False),
        ((OTHERS,), MINE, "user", False),  # every file's hash is stated by now, and it is none of them
    ],
)
def test_whose_weights(weights: tuple[WeightSource, ...], model: str, known_by: str | None, expected: bool) -> None:
    assert has_weights_of(example_result(model=model, weights_known_by=known_by), spec(*weights)) is expected


def test_marks_and_their_legend() -> None:
    sure, first, word, old = (
        example_result(weights_known_by=known_by) for known_by in ("published-hash", "first-use-hash", "user", None)
    )
    assert [mark(result) for result in (sure, first, word, old)] == ["", " [a]", " [b]", ""]
    assert legend([sure, old, None]) == ""
    assert legend([word, first, word, None]).splitlines() == [
        "",
        "[a] the publisher states no hash; the weights are the file that was first fetched for this name.",
        "",
        "[b] no hash says whose the weights are; they are the model's by the word of whoever measured them.",
    ]
    for results in itertools.permutations((sure, first, word)):
        assert weakest_mark(results) == " [b]"
    assert weakest_mark([sure, first]) == " [a]"
    assert weakest_mark([sure]) == ""


def test_the_user_s_word_is_the_weakest() -> None:
    ordered = ["user", "first-use-hash", "published-hash"]
    assert sorted(["first-use-hash", "published-hash", "user"], key=strength) == ordered
    assert strength(None) == strength("published-hash")
    assert set(MARKS) == {"user", "first-use-hash"}
