"""The nouns of densezoo: frozen dataclasses that every folder speaks in, one module a stage, and nothing else.

Units: percentages are 0-100, sizes are bytes (or pixels, where a name says so), times are seconds.
"""

from densezoo.types.architecture import Architecture
from densezoo.types.checkpoint import Checkpoint, ConversionReport, GraphNode, KeyMap, Param, ParamKind, TimmNetwork
from densezoo.types.experiment import Experiment, Recipe
from densezoo.types.index import ModelSpec, ReportedResult, WeightSource
from densezoo.types.protocol import Protocol
from densezoo.types.result import Conditions, Coverage, EvalResult, KnownBy, RunFacts

__all__ = [
    "Architecture",
    "Checkpoint",
    "Conditions",
    "ConversionReport",
    "Coverage",
    "EvalResult",
    "Experiment",
    "GraphNode",
    "KeyMap",
    "KnownBy",
    "ModelSpec",
    "Param",
    "ParamKind",
    "Protocol",
    "Recipe",
    "ReportedResult",
    "RunFacts",
    "TimmNetwork",
    "WeightSource",
]
