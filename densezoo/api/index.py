"""What the index lists, and what is known of one model. Imports no torch."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from densezoo.errors import QueryError, ResultError, some
from densezoo.families import families
from densezoo.index import select
from densezoo.index.load import get_spec, load_index, tell_which
from densezoo.index.search import matching
from densezoo.paths import ROOT, private_index, results_folder
from densezoo.results.accuracies import accuracies
from densezoo.results.benchmarks import FOLDER, benchmark_path, read_benchmarks
from densezoo.results.store import read_results, result_path
from densezoo.types import Accuracy, Benchmark, EvalResult, ModelSpec

Own = TypeVar("Own")


def find_models(patterns: str | Sequence[str] = "*", *, where: str | None = None, sort: str = "name") -> list[Accuracy]:
    """Models of the index, each with one accuracy: the one that the expression is about, or under its own protocol.

    Args:
        patterns: shell patterns, of which one matches the name, an alias or the architecture's name; case, separators
            and a slip in a word are forgiven (`densezoo.index.search`).
        where: such as ``top1 > 76 and params < 10e6`` (`densezoo.index.select`).
        sort: a field of `densezoo.index.select.FIELDS`, ``-top1`` from high to low.

    Raises:
        QueryError: ``where`` can't be read.
        UnknownNameError: a field that doesn't exist; names the nearest.
    """
    specs, _ = matching(patterns, load_index().values())
    return select.select(accuracies_of(specs), where, sort)


def describe_model(name: str, width: int | None = None) -> str:
    """All that is known of one model, as text: architecture, files, every published and measured accuracy, how to use.

    Args:
        name: of the index, or an alias; case, separators and a slip in a word are forgiven where one model is meant.
        width: columns to fold long lines at; None: they are not folded.

    Raises:
        UnknownNameError: no such model; names the nearest one of the same numbers.
        QueryError: several architectures may be meant.
    """
    from densezoo.api.labels import known_names
    from densezoo.results.description import describe  # here, because rich takes long to import

    spec = _meant(name)
    return describe(spec, accuracies(spec, known_results()), width, known_names(spec))


def _meant(name: str) -> ModelSpec:
    """The model of a name; of a pattern or a misspelt name the one that it finds, or an architecture's first."""
    specs = load_index()
    known = {other for spec in specs.values() for other in (spec.name, *spec.aliases)}
    meant = [] if name in known else matching(name, specs.values())[0]
    architectures = list(dict.fromkeys(spec.arch for spec in meant))
    if len(architectures) > 1:
        raise QueryError(
            f"{name!r} may be one of {len(meant)} models of {some(architectures)}; "
            f"densezoo list_models {name!r} lists them"
        )
    if not meant:
        return get_spec(name)
    alias = next((spec.arch for spec in meant if len(meant) > 1 and spec.arch in known), meant[0].name)
    spec = get_spec(alias)
    if len(meant) > 1 and alias == spec.name:
        tell_which(spec.arch, spec, specs.values())
    return spec


def explain_empty(patterns: str | Sequence[str], where: str | None) -> QueryError | None:
    """Why `find_models` finds nothing for a pattern, or nothing at all, and what may have been meant; None: it does.

    Args:
        patterns: of names, such as "densenet*.tv_in1k".
        where: a condition on an entry's fields, such as "params < 30e6"; None: none.
    """
    specs, vain = matching(patterns, load_index().values())
    if vain:
        kinds = " and ".join(f"{family.title}s" for family in families())
        return QueryError(f"no model matches {' or '.join(map(repr, vain))}; {_nearby(vain[0], kinds)}")
    if where is not None and not select.select(accuracies_of(specs), where):
        hint = select.advice(accuracies_of(specs), where)
        return QueryError(f"of {len(specs)} models none has {where}{hint}")
    return None


def _nearby(pattern: str, kinds: str) -> str:
    """What to list in place of a pattern that matches nothing: those whose names begin with its first word, or all."""
    word = re.match("[a-z]*", pattern.lower())
    start = f"{word[0]}*" if word and word[0] else "*"
    if start != "*" and matching(start, load_index().values())[0]:
        return f"densezoo list_models {start!r} lists those there are"
    return f"densezoo has {kinds}, listed without a pattern"


def accuracies_of(specs: Sequence[ModelSpec]) -> list[list[Accuracy]]:
    """Every accuracy of each model, published and measured; one without any of a model that has none.

    Args:
        specs: the models.
    """
    results = known_results()
    return [accuracies(spec, results) or [Accuracy(spec)] for spec in specs]


def known_results() -> list[EvalResult]:
    """The measurements that ship with densezoo, and a private index's, or an installed package's of this folder.

    Raises:
        ResultError: one that ships or of a private index is broken.
    """
    known = _known(read_results)
    return list({(result_path(Path(), each), each.weights_sha256): each for each in known}.values())


def known_benchmarks() -> list[Benchmark]:
    """The benchmarks that ship with densezoo, and a private index's, or an installed package's of this folder.

    Raises:
        ResultError: one that ships or of a private index is broken.
    """
    known = _known(lambda folder: read_benchmarks(folder / FOLDER))
    return list({(benchmark_path(Path(), each), str(each.machine)): each for each in known}.values())


def _known(read: Callable[[Path], list[Own]]) -> list[Own]:
    shipped, own = ROOT / "results", results_folder()
    return read(shipped) if own.resolve() == shipped.resolve() else [*read(shipped), *own_results(read)]


def own_results(read: Callable[[Path], list[Own]]) -> list[Own]:
    """What the folder holds that measurements go to: a private index's, a clone's, an installed package's current one.

    In the current folder, "results" may hold anything: a broken one is left out, and said.

    Args:
        read: folder of results -> what is wanted of it.

    Raises:
        ResultError: one of a private index is broken.
    """
    try:
        return read(results_folder())
    except ResultError as error:
        if private_index() is not None:
            raise
        logging.getLogger("densezoo").warning("results: those of this folder are left out: %s", error)
    return []
