"""The public functions, a module a task: the only place that joins the parts.

A module is imported when the first of its names is used (PEP 562), since most of them import torch.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from densezoo.paths import ROOT

if TYPE_CHECKING:
    from densezoo.api.analysis import analyze
    from densezoo.api.benchmark import (
        benchmark_evaluation,
        benchmark_formats,
        benchmark_inference,
        benchmark_memory,
        benchmark_steps,
        benchmark_training,
    )
    from densezoo.api.cards import model_card
    from densezoo.api.classifier import Classifier
    from densezoo.api.comparison import compare
    from densezoo.api.conversion import convert_checkpoint
    from densezoo.api.diagrams import plot_accuracy, plot_curves, plot_feature_reuse
    from densezoo.api.documents import check_index, make_tables
    from densezoo.api.evaluation import evaluate_checkpoint, evaluate_labels, evaluate_protocols, report
    from densezoo.api.explanation import explain
    from densezoo.api.features import FeatureExtractor
    from densezoo.api.index import describe_model, find_models
    from densezoo.api.labels import class_names
    from densezoo.api.listing import list_models
    from densezoo.api.models import create_model, get_protocol
    from densezoo.api.pixels import export_pixels
    from densezoo.api.prediction import predict
    from densezoo.api.publishing import publish, stored_results
    from densezoo.api.sharing import load_from_hub, push_to_hub, save_for_hub
    from densezoo.api.site import make_site
    from densezoo.api.trained import finish_training
    from densezoo.api.training import train_config
    from densezoo.api.training_plan import plan_training
    from densezoo.api.weights import fetch_weights, verify_weights
    from densezoo.conversion.load import load_checkpoint
    from densezoo.index.load import get_spec

__all__ = [
    "Classifier",
    "FeatureExtractor",
    "analyze",
    "benchmark_evaluation",
    "benchmark_formats",
    "benchmark_inference",
    "benchmark_memory",
    "benchmark_steps",
    "benchmark_training",
    "check_index",
    "class_names",
    "compare",
    "convert_checkpoint",
    "create_model",
    "describe_model",
    "evaluate_checkpoint",
    "evaluate_labels",
    "evaluate_protocols",
    "explain",
    "export_pixels",
    "fetch_weights",
    "find_models",
    "finish_training",
    "get_protocol",
    "get_spec",
    "list_models",
    "load_checkpoint",
    "load_from_hub",
    "make_site",
    "make_tables",
    "model_card",
    "plan_training",
    "plot_accuracy",
    "plot_curves",
    "plot_feature_reuse",
    "predict",
    "publish",
    "push_to_hub",
    "report",
    "save_for_hub",
    "stored_results",
    "train_config",
    "verify_weights",
]

#: {public name: its module}.
_MODULES = {
    "Classifier": "densezoo.api.classifier",
    "FeatureExtractor": "densezoo.api.features",
    "analyze": "densezoo.api.analysis",
    "benchmark_evaluation": "densezoo.api.benchmark",
    "benchmark_formats": "densezoo.api.benchmark",
    "benchmark_inference": "densezoo.api.benchmark",
    "benchmark_memory": "densezoo.api.benchmark",
    "benchmark_steps": "densezoo.api.benchmark",
    "benchmark_training": "densezoo.api.benchmark",
    "check_index": "densezoo.api.documents",
    "class_names": "densezoo.api.labels",
    "compare": "densezoo.api.comparison",
    "convert_checkpoint": "densezoo.api.conversion",
    "create_model": "densezoo.api.models",
    "describe_model": "densezoo.api.index",
    "evaluate_checkpoint": "densezoo.api.evaluation",
    "evaluate_labels": "densezoo.api.evaluation",
    "evaluate_protocols": "densezoo.api.evaluation",
    "explain": "densezoo.api.explanation",
    "export_pixels": "densezoo.api.pixels",
    "fetch_weights": "densezoo.api.weights",
    "find_models": "densezoo.api.index",
    "finish_training": "densezoo.api.trained",
    "get_protocol": "densezoo.api.models",
    "get_spec": "densezoo.index.load",
    "list_models": "densezoo.api.listing",
    "load_checkpoint": "densezoo.conversion.load",
    "load_from_hub": "densezoo.api.sharing",
    "make_site": "densezoo.api.site",
    "make_tables": "densezoo.api.documents",
    "model_card": "densezoo.api.cards",
    "plan_training": "densezoo.api.training_plan",
    "plot_accuracy": "densezoo.api.diagrams",
    "plot_curves": "densezoo.api.diagrams",
    "plot_feature_reuse": "densezoo.api.diagrams",
    "predict": "densezoo.api.prediction",
    "publish": "densezoo.api.publishing",
    "push_to_hub": "densezoo.api.sharing",
    "report": "densezoo.api.evaluation",
    "save_for_hub": "densezoo.api.sharing",
    "stored_results": "densezoo.api.publishing",
    "train_config": "densezoo.api.training",
    "verify_weights": "densezoo.api.weights",
}

#: Config and checkpoint that ship with densezoo.
DEMO = (
    ROOT / "configs/digits/densenet_bc_22_8_digits.py",
    ROOT / "configs/digits/densenet_bc_22_8_digits.safetensors",
)


def __getattr__(name: str) -> object:
    """The public function of that name, from its module.

    Args:
        name: of the function.

    Raises:
        AttributeError: there is none.
    """
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
