"""The argument tables hold every keyword argument of what they are of, and nothing else."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from densezoo.api import arguments
from densezoo.api.analysis import analysis
from densezoo.api.classifier import Classifier
from densezoo.api.evaluation import evaluate_protocols
from densezoo.api.image_network import ImageNetwork


@pytest.mark.parametrize(
    ("table", "takes", "named_apart"),
    [
        (arguments.NetworkArguments, ImageNetwork.__init__, set()),
        (arguments.AnalysisArguments, analysis, set()),
        (arguments.EvaluationArguments, evaluate_protocols, {"names"}),
    ],
)
def test_arguments_are_those_of_the_function(table: type, takes: Callable[..., object], named_apart: set[str]) -> None:
    parameters = inspect.signature(takes).parameters.values()
    taken = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert {name: hint.__forward_arg__ for name, hint in table.__annotations__.items()} == {
        name: hint for name, hint in taken.items() if name not in named_apart
    }


def test_a_classifier_takes_its_own_arguments_beside_the_networks() -> None:
    parameters = inspect.signature(Classifier.__init__).parameters.values()
    own = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    table = {name: hint.__forward_arg__ for name, hint in arguments.ClassifierArguments.__annotations__.items()}
    network = {name: hint.__forward_arg__ for name, hint in arguments.NetworkArguments.__annotations__.items()}
    assert table == {**own, **network}
