"""The model whose weights a result was measured with, and the marks in tables for how that is known."""

from __future__ import annotations

from collections.abc import Iterable

from densezoo.types import EvalResult, ModelSpec

#: {how it is known: (mark in a table, what it means)}; a published hash needs none.
MARKS = {
    "first-use-hash": (
        "[a]",
        "the publisher states no hash; the weights are the file that was first fetched for this name.",
    ),
    "user": ("[b]", "no hash says whose the weights are; they are the model's by the word of whoever measured them."),
}


def has_weights_of(result: EvalResult, spec: ModelSpec) -> bool:
    """Whether a result was measured with a model's weights: by a published hash, or as the result itself knows it.

    What the result knows counts no more where its publisher has come to state a hash of every file. A hash of another
    kind than sha256 was held against the file when it was measured, and the result says so.
    """
    if any(source.is_file(result.weights_sha256) for source in spec.weights):
        return True
    if result.model != spec.name:
        return False
    if result.weights_known_by == "published-hash":
        return any(each.sha256 is None or each.of for source in spec.weights for each in source.stated_hashes)
    return result.weights_known_by in MARKS and not (spec.weights and all(each.is_hashed for each in spec.weights))


def mark(result: EvalResult) -> str:
    """The mark after a measured number in a table; "" if a published hash tells whose weights they are.

    Args:
        result: the measurement.
    """
    return f" {MARKS[result.weights_known_by][0]}" if result.weights_known_by in MARKS else ""


def strength(known_by: str | None) -> int:
    """How surely weights are known to be a model's; higher is surer.

    Args:
        known_by: "published-hash", "first-use-hash" or "user", which `densezoo.types.RunFacts` explains; None: nothing
            says it.
    """
    return ["user", "first-use-hash"].index(known_by) if known_by in MARKS else len(MARKS)


def weakest_mark(results: Iterable[EvalResult]) -> str:
    """The mark of a number that is made of several results: that of the least sure one.

    Args:
        results: at least one.
    """
    return mark(min(results, key=lambda result: strength(result.weights_known_by)))


def legend(results: Iterable[EvalResult | None]) -> str:
    """The lines below a table that explain its marks; "" if it has none.

    Args:
        results: of the table's rows; None: a row without a measurement.
    """
    used = {result.weights_known_by for result in results if result is not None}
    lines = [f"\n{sign} {meaning}\n" for known_by, (sign, meaning) in MARKS.items() if known_by in used]
    return "".join(lines)
