"""The nouns of densezoo: frozen dataclasses that every folder speaks in, one module a stage, and nothing else.

Units: percentages are 0-100, sizes are bytes (or pixels, where a name says so), times are seconds. A stage's module is
imported when the first of its nouns is used (PEP 562): listing the index needs a third of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from densezoo.types.accuracy import Accuracy
    from densezoo.types.architecture import Architecture
    from densezoo.types.benchmark import Benchmark, Contestant, Latency, Load, Machine
    from densezoo.types.checkpoint import (
        LONE_MATRIX,
        Checkpoint,
        ConversionReport,
        Description,
        KeyMap,
        NamedNetwork,
        Param,
    )
    from densezoo.types.computation import Computation, Freedom, Node, PoolFreedom
    from densezoo.types.experiment import Distillation, Experiment, Recipe, Start
    from densezoo.types.index import Figure, FileHash, ModelSpec, ReportedResult, WeightSource
    from densezoo.types.json import JsonObject
    from densezoo.types.label_result import LabelAreas, LabelAuc, LabelResult, Measurement
    from densezoo.types.layer import Layer
    from densezoo.types.prediction import Answer, Prediction
    from densezoo.types.protocol import Protocol
    from densezoo.types.result import Calibration, Conditions, Coverage, EvalResult, KnownBy, OwnProtocol, RunFacts

__all__ = [
    "LONE_MATRIX",
    "Accuracy",
    "Answer",
    "Architecture",
    "Benchmark",
    "Calibration",
    "Checkpoint",
    "Computation",
    "Conditions",
    "Contestant",
    "ConversionReport",
    "Coverage",
    "Description",
    "Distillation",
    "EvalResult",
    "Experiment",
    "Figure",
    "FileHash",
    "Freedom",
    "JsonObject",
    "KeyMap",
    "KnownBy",
    "LabelAreas",
    "LabelAuc",
    "LabelResult",
    "Latency",
    "Layer",
    "Load",
    "Machine",
    "Measurement",
    "ModelSpec",
    "NamedNetwork",
    "Node",
    "OwnProtocol",
    "Param",
    "PoolFreedom",
    "Prediction",
    "Protocol",
    "Recipe",
    "ReportedResult",
    "RunFacts",
    "Start",
    "WeightSource",
]

#: {noun: its module}.
_MODULES = {
    "LONE_MATRIX": "densezoo.types.checkpoint",
    "Accuracy": "densezoo.types.accuracy",
    "Answer": "densezoo.types.prediction",
    "Architecture": "densezoo.types.architecture",
    "Benchmark": "densezoo.types.benchmark",
    "Calibration": "densezoo.types.result",
    "Checkpoint": "densezoo.types.checkpoint",
    "Computation": "densezoo.types.computation",
    "Conditions": "densezoo.types.result",
    "Contestant": "densezoo.types.benchmark",
    "ConversionReport": "densezoo.types.checkpoint",
    "Coverage": "densezoo.types.result",
    "Description": "densezoo.types.checkpoint",
    "Distillation": "densezoo.types.experiment",
    "EvalResult": "densezoo.types.result",
    "Experiment": "densezoo.types.experiment",
    "Figure": "densezoo.types.index",
    "FileHash": "densezoo.types.index",
    "Freedom": "densezoo.types.computation",
    "JsonObject": "densezoo.types.json",
    "KeyMap": "densezoo.types.checkpoint",
    "KnownBy": "densezoo.types.result",
    "LabelAreas": "densezoo.types.label_result",
    "LabelAuc": "densezoo.types.label_result",
    "LabelResult": "densezoo.types.label_result",
    "Latency": "densezoo.types.benchmark",
    "Layer": "densezoo.types.layer",
    "Load": "densezoo.types.benchmark",
    "Machine": "densezoo.types.benchmark",
    "Measurement": "densezoo.types.label_result",
    "ModelSpec": "densezoo.types.index",
    "NamedNetwork": "densezoo.types.checkpoint",
    "Node": "densezoo.types.computation",
    "OwnProtocol": "densezoo.types.result",
    "Param": "densezoo.types.checkpoint",
    "PoolFreedom": "densezoo.types.computation",
    "Prediction": "densezoo.types.prediction",
    "Protocol": "densezoo.types.protocol",
    "Recipe": "densezoo.types.experiment",
    "ReportedResult": "densezoo.types.index",
    "RunFacts": "densezoo.types.result",
    "Start": "densezoo.types.experiment",
    "WeightSource": "densezoo.types.index",
}


def __getattr__(name: str) -> object:
    """The noun of that name, from its module.

    Args:
        name: of the noun.

    Raises:
        AttributeError: there is none.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    noun = globals()[name] = getattr(importlib.import_module(_MODULES[name]), name)
    return noun


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
