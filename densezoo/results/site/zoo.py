"""What a site shows: the index and what is stored, each fact worked out once for all pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from densezoo.index.select import select
from densezoo.results.accuracies import accuracies
from densezoo.results.agreement import Agreement, compare_with_published
from densezoo.results.pages import DATASETS, About
from densezoo.results.site.speed import Speed, comparable, speeds
from densezoo.results.tables import published_rows
from densezoo.types import Accuracy, Benchmark, EvalResult, ModelSpec


@dataclass(frozen=True)
class Zoo:
    """The index and what is stored.

    Args:
        specs: the index.
        results: stored measurements of accuracy.
        benchmarks: stored measurements of speed.
        classes: what a model's outputs stand for; empty where nobody says.
        version: densezoo's.
    """

    specs: Mapping[str, ModelSpec]
    results: Sequence[EvalResult]
    benchmarks: Sequence[Benchmark]
    classes: Callable[[ModelSpec], Sequence[str]]
    version: str

    @cached_property
    def accuracies(self) -> Mapping[str, Sequence[Accuracy]]:
        """{model: every published and measured accuracy of it}."""
        return {name: accuracies(spec, self.results) for name, spec in self.specs.items()}

    @cached_property
    def headlines(self) -> Mapping[str, Accuracy]:
        """{model: its accuracy under its weights' own protocol, or else its first}, as ``list_models`` shows it."""
        chosen = select(own or [Accuracy(self.specs[name])] for name, own in self.accuracies.items())
        return {accuracy.spec.name: accuracy for accuracy in chosen}

    @cached_property
    def datasets(self) -> Mapping[str, str]:
        """{dataset with an accuracy: its title}, in the order of the result pages."""
        present = {accuracy.dataset: None for own in self.accuracies.values() for accuracy in own if accuracy.dataset}
        ordered = [name for name in DATASETS if name in present] + sorted(present.keys() - DATASETS.keys())
        return {name: title(name) for name in ordered}

    @cached_property
    def _older(self) -> set[int]:
        """The figures that a newer one of the same publisher stands beside, by identity: two may be equal."""
        names = dict.fromkeys(r.dataset.rstrip("+") for spec in self.specs.values() for r in spec.reported)
        return {id(row.reported) for name in names for row in published_rows(name, self.specs.values())[1]}

    def is_older(self, accuracy: Accuracy) -> bool:
        """Whether its publisher states a newer figure for the same."""
        return id(accuracy.reported) in self._older

    @cached_property
    def speeds(self) -> Sequence[Speed]:
        """Every measured speed."""
        return speeds(self.benchmarks)

    @cached_property
    def comparable_speeds(self) -> Sequence[Speed]:
        """Those of one idle machine, which may stand in one column."""
        return comparable(self.speeds)

    def agreement(self, result: EvalResult) -> Agreement:
        """A measurement compared with what is published.

        Args:
            result: the measurement.
        """
        return compare_with_published(result, self.specs.values())


def title(dataset: str) -> str:
    """What pages call a dataset.

    Args:
        dataset: its name.
    """
    return DATASETS.get(dataset, About(dataset)).title
