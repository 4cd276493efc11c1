"""The index as OpenMIM and mmpretrain read it: one entry a model, made from all that its publishers state.

``mim search`` makes one row of every entry, under its name: of several entries of one name the last one would be all
that it shows. It compares numbers and joins lists, and fails on mappings. ``--model`` is a collection's name, so that
a collection is an architecture here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import yaml

from densezoo.families import family_of
from densezoo.families.claims import operations
from densezoo.families.flops import flops
from densezoo.index.locations import direct_url
from densezoo.protocols import PROTOCOLS
from densezoo.types import ModelSpec, ReportedResult

#: What OpenMIM and mmpretrain show of a training: {their key: a recipe's field}.
_TRAINING = {
    "Training Data": "training data",
    "Epochs": "epochs",
    "Batch Size": "batch size",
    "Training Techniques": "training techniques",
    "Training Resources": "training resources",
}
#: {operation of a computation: what model-index's files call it}; other operations have no name there.
_COMPONENTS = {
    "conv": "Convolution",
    "norm": "Batch Normalization",
    "layer_norm": "Layer Normalization",
    "relu": "ReLU",
    "gelu": "GELU",
    "concat": "Dense Connections",
    "max_pool": "Max Pooling",
    "avg_pool": "Average Pooling",
    "blur": "Anti-Alias Downsampling",
    "global_avg_pool": "Global Average Pooling",
}
_HEADER = """\
# For OpenMIM (mim search densezoo, mim download densezoo) and mmpretrain's ModelHub.
# Made by tools/make_tables.py from metafiles/.
# What is edited here is lost. Models without a file that a URL serves aren't listed; FLOPs are multiply-adds.
"""


def openmim_index(specs: Iterable[ModelSpec]) -> str:
    """YAML with the lists Collections (an architecture each) and Models (of those with a file that a URL serves).

    Args:
        specs: the models of the index, in its order.
    """
    listed = [spec for spec in specs if _url(spec) is not None]
    by_arch = {spec.arch: spec for spec in reversed(listed)}
    content = {
        "Collections": [_collection(arch, by_arch[arch]) for arch in dict.fromkeys(spec.arch for spec in listed)],
        "Models": [_model(spec) for spec in listed],
    }
    return _HEADER + yaml.safe_dump(content, sort_keys=False, width=1000, allow_unicode=True)


def _collection(arch: str, first: ModelSpec) -> Mapping[str, object]:
    computation = family_of(first.architecture).computation(first.architecture)
    operations = {node.op for node in computation.nodes}
    return {
        "Name": arch,
        "Metadata": {"Architecture": [word for operation, word in _COMPONENTS.items() if operation in operations]},
        **({"Paper": first.paper} if first.paper else {}),
        "README": f"docs/models/{arch}.md",
    }


def _model(spec: ModelSpec) -> Mapping[str, object]:
    origin = next((source.converted_from for source in spec.weights if source.converted_from), spec.port_of)
    return {
        "Name": spec.name,
        "In Collection": spec.arch,
        "Metadata": _metadata(spec),
        "Results": [_result(result) for result in _headlines(spec)],
        "Weights": _url(spec),
        "Config": spec.config,
        **({"Code": {"URL": spec.code}} if spec.code else {}),
        **({"Converted From": {"Weights": origin}} if origin else {}),
    }


def _metadata(spec: ModelSpec) -> Mapping[str, object]:
    stated = {key: spec.recipe[name] for key, name in _TRAINING.items() if name in spec.recipe}
    protocol = PROTOCOLS[spec.protocol]
    image_size = protocol.crop or spec.image_size
    facts = {
        "Parameters": spec.num_params,
        "FLOPs": image_size and _flops(spec, image_size),
        "Image Size": image_size,
        "Crop Pct": protocol.crop_pct,
        "Interpolation": protocol.interpolation,
        "License": spec.license,
    }
    values = {**stated, **{key: value for key, value in facts.items() if value is not None}}
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}


def _flops(spec: ModelSpec, image_size: int) -> int:
    """Multiply-adds, counted anew, so that all entries count the same; publishers state other things, or nothing."""
    return flops(operations(spec.architecture, image_size), "torchvision")


def _headlines(spec: ModelSpec) -> list[ReportedResult]:
    """One result a dataset, since OpenMIM has one column for it: under the model's own protocol where there is one."""
    ranked = sorted(spec.reported, key=lambda result: result.protocol != spec.protocol)
    return list({result.dataset: result for result in reversed(ranked)}.values())[::-1]


def _result(result: ReportedResult) -> Mapping[str, object]:
    metrics = {"Top 1 Accuracy": result.top1, "Top 5 Accuracy": result.top5}
    return {
        "Task": "Image Classification",
        "Dataset": result.dataset,
        "Metrics": {name: float(value) for name, value in metrics.items() if value is not None},
    }


def _url(spec: ModelSpec) -> str | None:
    """Where the first of a model's files is served."""
    urls = (direct_url(source.url) for source in spec.weights if source.url)
    return next((url for url in urls if url), None)
