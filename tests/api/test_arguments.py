"""The argument tables hold every keyword argument of what they are of, and nothing else."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable

import pytest

from densezoo.api import arguments
from densezoo.api.analysis import analysis
from densezoo.api.classifier import Classifier
from densezoo.api.evaluation import evaluate_protocols
from densezoo.api.image_network import ImageNetwork
from densezoo.evaluation.options import LoadOptions, RunOptions, StoreOptions


@pytest.mark.parametrize(
    ("table", "takes"),
    [
        (arguments.NetworkArguments, ImageNetwork.__init__),
        (arguments.AnalysisArguments, analysis),
    ],
)
def test_arguments_are_those_of_the_function(table: type, takes: Callable[..., object]) -> None:
    parameters = inspect.signature(takes).parameters.values()
    taken = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    assert {name: hint.__forward_arg__ for name, hint in table.__annotations__.items()} == taken


def test_an_evaluation_s_are_the_fields_of_its_options_each_documented() -> None:
    named = {f.name for kind in (LoadOptions, RunOptions, StoreOptions) for f in dataclasses.fields(kind)}
    otherwise = {"config", "checkpoint", "protocols", "label_table", "existing"}  # said by a name of their own
    table = set(arguments.EvaluationArguments.__annotations__)
    assert table == named - otherwise | {"resume", "restart"}
    explained = re.findall(r"^            ([a-z_, ]+): ", str(evaluate_protocols.__doc__), re.MULTILINE)
    assert {name for names in explained for name in names.split(", ")} == table


def test_a_classifier_takes_its_own_arguments_beside_the_networks() -> None:
    parameters = inspect.signature(Classifier.__init__).parameters.values()
    own = {p.name: p.annotation for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY}
    table = {name: hint.__forward_arg__ for name, hint in arguments.ClassifierArguments.__annotations__.items()}
    network = {name: hint.__forward_arg__ for name, hint in arguments.NetworkArguments.__annotations__.items()}
    assert table == {**own, **network}
