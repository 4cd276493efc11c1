"""What a model's classes are called. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.config import load_config
from densezoo.data.datasets import get_dataset
from densezoo.errors import ConfigError
from densezoo.index.load import get_spec
from densezoo.paths import ROOT
from densezoo.types import ModelSpec


def class_names(model: str | ModelSpec) -> Sequence[str]:
    """What a model's outputs stand for, in their order: ``class_names("densenet121")[0]`` is "tench".

    Args:
        model: a name or alias of the index, or its entry.

    Raises:
        UnknownNameError: no such model.
        ConfigError: nobody names the classes of what it was trained on.
    """
    spec = get_spec(model) if isinstance(model, str) else model
    names = known_names(spec)
    if not names:
        raise ConfigError(
            f"{spec.name}: nobody names its {spec.architecture.num_classes} classes; they are not those of its "
            f"config's dataset ({spec.config}); its outputs can only be told by their number"
        )
    return names


def known_names(spec: ModelSpec) -> Sequence[str]:
    """What a model's outputs stand for, in their order; empty if nobody says.

    Args:
        spec: the model.
    """
    dataset = get_dataset(load_config(ROOT / spec.config).dataset)
    names = dataset.names() if dataset.names is not None else ()
    return names if len(names) == spec.architecture.num_classes else ()
