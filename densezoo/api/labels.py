"""What a model's classes are called, and whether an image may have several. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from densezoo.config import load_config
from densezoo.data.class_names import read_class_names
from densezoo.data.datasets import DATASETS, get_dataset
from densezoo.errors import ConfigError
from densezoo.index.load import get_spec
from densezoo.paths import ROOT
from densezoo.types import Experiment, ModelSpec


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


def names_of(
    given: str | Path | Sequence[str] | None,
    spec: ModelSpec | None,
    dataset: str,
    stated: Mapping[str, object],
    num_classes: int,
) -> Sequence[str]:
    """What the outputs of loaded weights stand for, in their order; their numbers if nobody says.

    Args:
        given: the names; or where they stand: a dataset's name, or a path (`densezoo.data.class_names`); None: what the
            file says, else the index, else the config's dataset.
        spec: the model of the index; None: the weights are no model's.
        dataset: the config's; "" if there is none.
        stated: the facts that densezoo wrote into the file of weights.
        num_classes: outputs of the network.

    Raises:
        ConfigError: the names that are given are not as many as the outputs, or can't be read.
    """
    if given is not None:
        names = _given(given)
        if len(names) != num_classes:
            where = f"{given}: " if isinstance(given, (str, Path)) else ""
            raise ConfigError(f"{where}expected {num_classes} class names, one an output, found {len(names)}")
        return names
    in_file, known = stated.get("class_names"), DATASETS.get(dataset)
    candidates = (
        tuple(map(str, in_file)) if isinstance(in_file, list) else (),
        known_names(spec) if spec else (),
        known.names() if known and known.names else (),
    )
    return next((names for names in candidates if len(names) == num_classes), tuple(map(str, range(num_classes))))


def _given(given: str | Path | Sequence[str]) -> Sequence[str]:
    if isinstance(given, str) and given in DATASETS and (names := DATASETS[given].names):
        return names()
    return read_class_names(Path(given)) if isinstance(given, (str, Path)) else given


def gives_several_labels(
    stated: Mapping[str, object], experiment: Experiment | None, spec: ModelSpec | None
) -> bool | None:
    """Whether an image may have several of a network's labels; None: nobody says.

    Args:
        stated: what densezoo wrote into the file of weights, which comes first.
        experiment: the config's; None: there is none.
        spec: whose weights they are; None: of no model of the index.
    """
    if stated.get("multi_label") is not None:
        return bool(stated["multi_label"])
    recipe = experiment.train if experiment else None
    by_recipe = recipe is not None and recipe.label_table is not None
    return by_recipe or (spec is not None and spec.multi_label) or None
