"""What the file of trained weights says of itself, so that predicting with it needs nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence

from densezoo.data.datasets import DATASETS
from densezoo.families import architecture_values, with_defaults
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.types import Experiment, JsonObject, Recipe

KEPT = ("keep", "save_every")  # fields of a recipe that change nothing of what is trained
_NOT_OF_WEIGHTS = ("drop_rate", "drop_path_rate")  # fields of an architecture that weights to begin with don't decide
#: {field of a recipe: its default}
_RECIPE = {field.name: field.default for field in dataclasses.fields(Recipe)}


def trained_facts(
    experiment: Experiment, class_names: Sequence[str] | None = None, started_from: Mapping[str, object] | None = None
) -> dict[str, object]:
    """The facts that go into the metadata of a trained network's file, as JSON values: docs/formats.md lists them.

    Args:
        experiment: what was trained; its model is the trained network's architecture.
        class_names: what the classes (labels, of several an image) are called, in the order of the logits; None: as
            the dataset calls them.
        started_from: `densezoo.training.start.Started.facts`; None: random weights.
    """
    recipe = experiment.train
    assert recipe is not None
    dataset = DATASETS.get(experiment.dataset)
    if class_names is None and dataset is not None and dataset.names is not None:
        class_names = dataset.names()
    known = experiment.protocol in PROTOCOLS
    return {
        "architecture": architecture_values(experiment.model),
        "config": experiment.path,
        "seed": recipe.seed,
        "dataset": experiment.dataset,
        "protocol": experiment.protocol if known else dataclasses.asdict(get_protocol(experiment.protocol)),
        "class_names": None if class_names is None else list(class_names),
        "multi_label": recipe.label_table is not None,
        "recipe": changed(recipe),
        "started_from": None if started_from is None else dict(started_from),
    }


def differing(stated: JsonObject, facts: Mapping[str, object]) -> list[str]:
    """How what a file says of its training differs from another one's, "lr 0.1, here 0.2" each.

    Args:
        stated: in the file.
        facts: of `trained_facts`.
    """
    here: JsonObject = json.loads(json.dumps(facts))  # as a file has them: lists for tuples
    pairs = {name: (stated.get(name), here[name]) for name in ("dataset", "protocol", "class_names")}
    former, now = ({**_RECIPE, **(each.get("recipe") or {})} for each in (stated, here))
    pairs |= {name: (former[name], now[name]) for name in _RECIPE if name not in KEPT}
    if stated.get("architecture"):
        before, after = with_defaults(stated["architecture"]), with_defaults(here["architecture"])
        names = {**before, **after} if now["start"] is None else _NOT_OF_WEIGHTS  # the rest is what the weights had
        pairs |= {f"model.{name}": (before.get(name), after.get(name)) for name in names}
    return [f"{name} {first!r}, here {second!r}" for name, (first, second) in pairs.items() if first != second]


def changed(recipe: Recipe, always: Sequence[str] = ()) -> dict[str, object]:
    """{field: JSON value} of the fields that haven't their default, with those that have none.

    Args:
        recipe: how a network is trained.
        always: fields that are named in any case.
    """
    values = dataclasses.asdict(recipe)
    return {name: value for name, value in values.items() if name in always or value != _RECIPE[name]}
