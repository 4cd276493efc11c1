"""The nouns of densezoo: frozen dataclasses that every folder speaks in, one module a stage, and nothing else.

Units: percentages are 0-100, sizes are bytes (or pixels, where a name says so), times are seconds.
"""

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
from densezoo.types.label_result import LabelAuc, LabelResult
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
    "KeyMap",
    "KnownBy",
    "LabelAuc",
    "LabelResult",
    "Latency",
    "Layer",
    "Load",
    "Machine",
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
