"""What stands beside published weights: their entry in an index, the config of their network."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import yaml

from densezoo.data.datasets import DATASETS
from densezoo.families import architecture_values
from densezoo.protocols import PROTOCOLS
from densezoo.types import Architecture, EvalResult, Figure, Measurement, ModelSpec, Recipe, WeightSource

CONFIG, METAFILE, INDEX = "config.py", "metafile.yml", "model-index.yml"  # beside the weights

#: {field of a recipe: what a metafile calls it}; what a metafile has no words for stands in the config.
_RECIPE = {
    "epochs": "Epochs",
    "batch_size": "Batch Size",
    "optimiser": "Optimizer",
    "lr": "LR",
    "schedule": "LR Schedule",
    "momentum": "Momentum",
    "weight_decay": "Weight Decay",
    "label_smoothing": "Label Smoothing",
    "augmentation": "Augmentation",
}


@dataclass(frozen=True)
class Publication:
    """Weights and what is said of them.

    Args:
        spec: name, publisher, network, parameters, FLOPs, paper, code, licence and origin, as an index has them; its
            protocol is a name, or a file beside the weights.
        weights: the file.
        dataset: that the network is for.
        recipe: {field of `densezoo.types.Recipe`: value} that isn't the default; None: nobody says how it was trained.
        results: (what was measured of the file, its protocol as the entry names it, where the result lies).
    """

    spec: ModelSpec
    weights: WeightSource
    dataset: str
    recipe: Mapping[str, object] | None = None
    results: Sequence[tuple[Measurement, str, str]] = ()


def metafile_text(published: Publication) -> str:
    """The metafile: a collection of one model, as `densezoo.index.metafile` reads it.

    Args:
        published: the weights.
    """
    spec, weights = published.spec, published.weights
    file = {
        "Path": weights.path,
        "URL": weights.url,
        "Framework": weights.framework,
        "Format": weights.format,
        "File Size": weights.file_size,
        "SHA256": weights.sha256,
        "Keymap": weights.keymap,
        "License": weights.license,
    }
    model = {
        "Name": spec.name,
        "In Collection": spec.publisher,
        "Config": CONFIG,
        "Protocol": spec.protocol,
        "Port Of": spec.port_of,
        "Metadata": _stated(
            {
                "Parameters": spec.num_params,
                "Image Size": spec.image_size,
                "FLOPs": spec.flops.get("torchvision"),
                "Multi Label": spec.multi_label or None,
                **({} if published.recipe is None else _training(published.dataset, published.recipe)),
            }
        ),
        "Weights": weights.url,
        "Weight Files": [_stated(file)],
        "Results": _claims(published) or None,
    }
    collection = {
        "Name": spec.publisher,
        "License": spec.license,
        "Paper": {"URL": spec.paper},
        "Code": None if spec.code is None else {"URL": spec.code},
    }
    content = {"Collections": [_stated(collection)], "Models": [_stated(model)]}
    head = (
        f"# {spec.name}, for an index of models: 'Import: [{METAFILE}]' in a model-index.yml, as the one beside it.\n"
    )
    return head + yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)


def config_text(name: str, arch: Architecture, dataset: str, protocol: str, recipe: Mapping[str, object] | None) -> str:
    """The config of a published network.

    Args:
        name: of the model.
        arch: of the network.
        dataset: that it is for.
        protocol: a name, or a file beside the config.
        recipe: {field of `densezoo.types.Recipe`: value} that isn't the default; None: nobody says how it was trained.
    """
    lines = [f'"""{name}: network, data and protocol. densezoo reads this file and never executes it."""', ""]
    lines += ["model = dict(", *(f"    {key}={value!r}," for key, value in _changed(arch).items()), ")"]
    lines += [f"dataset = {dataset!r}", f"protocol = {protocol!r}"]
    if recipe is not None:
        lines += ["train = dict(", *(f"    {key}={value!r}," for key, value in recipe.items()), ")"]
    return "\n".join(lines) + "\n"


def _changed(arch: Architecture) -> dict[str, object]:
    """The fields of an architecture that have no default or not their default."""
    values = architecture_values(arch)
    defaults = {field.name: field.default for field in dataclasses.fields(arch)}
    return {name: value for name, value in values.items() if name not in defaults or value != defaults[name]}


def _training(dataset: str, recipe: Mapping[str, object]) -> dict[str, object]:
    """What a metafile says of a training; nothing of what has no default and isn't stated."""
    defaults = {field.name: field.default for field in dataclasses.fields(Recipe)}
    whole = {name: None if value is dataclasses.MISSING else value for name, value in defaults.items()} | dict(recipe)
    return {"Training Data": dataset, **{key: whole[name] for name, key in _RECIPE.items() if whole[name]}}


def _claims(published: Publication) -> list[dict[str, object]]:
    """The results that a metafile has words for."""
    publisher, sha256 = published.spec.publisher, published.weights.sha256
    return [
        _result(publisher, sha256, result, protocol, where)
        for result, protocol, where in published.results
        if isinstance(result, EvalResult) and _can_be_claimed(result)
    ]


def _can_be_claimed(result: EvalResult) -> bool:
    """Whether a metafile has words for the conditions of a result."""
    usual = (result.subset, result.conditions.backend, result.precision) == (None, "auto", "float32")
    return usual and result.dataset in DATASETS and (result.protocol in PROTOCOLS or result.own_protocol is not None)


def _result(publisher: str, sha256: str | None, result: EvalResult, protocol: str, where: str) -> dict[str, object]:
    """A result as its owner claims it: with the digits that tables show."""
    entry = {
        "Task": "Image Classification",
        "Dataset": result.dataset,
        "Protocol": protocol,
        "Test Time Augmentation": result.tta,
        "Metrics": {"Top 1 Accuracy": Figure(f"{result.top1:.2f}"), "Top 5 Accuracy": Figure(f"{result.top5:.2f}")},
        "Published By": publisher,
        "Where": where,
        "Note": None if result.weights_sha256 == sha256 else other_file(result),
    }
    return _stated(entry)


def other_file(result: EvalResult) -> str:
    """A note on a result of another file with the same weights.

    Args:
        result: of the other file.
    """
    return f"measured of the file with the sha256 {result.weights_sha256}, whose weights these are to the bit"


def _stated(values: Mapping[str, object]) -> dict[str, object]:
    """The values that there are."""
    return {name: value for name, value in values.items() if value is not None}


class _Dumper(yaml.SafeDumper):
    """Writes a figure with its digits."""


_Dumper.add_representer(Figure, lambda dumper, figure: dumper.represent_scalar("tag:yaml.org,2002:float", str(figure)))
