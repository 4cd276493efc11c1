"""``model-index.yml`` and ``metafiles/*.yml`` -> {name: `ModelSpec`}.

The format is the model-index package's (https://github.com/paperswithcode/model-index), so its tools and OpenMIM read
the files too; what it has no words for (protocol, provenance, weight files) are further keys of the same style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from densezoo import schema
from densezoo.config import load_config
from densezoo.data.protocols import PROTOCOLS
from densezoo.errors import ConfigError, MetafileError, UnknownNameError, suggestion
from densezoo.paths import ROOT, relative_to_root
from densezoo.types import ModelSpec, ReportedResult, WeightSource

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # C: ten times as fast


# What a metafile may say, one dataclass an entry; "In Collection" in YAML is in_collection here.


@dataclass(frozen=True)
class _Link:
    url: str
    title: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class _Collection:
    name: str
    paper: _Link
    code: _Link
    license: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Metrics:
    top_1_accuracy: float
    top_5_accuracy: float | None = None


@dataclass(frozen=True)
class _Result:
    task: str
    dataset: str
    protocol: str
    metrics: _Metrics
    published_by: str
    where: str
    note: str | None = None


@dataclass(frozen=True)
class _Metadata:
    parameters: int
    flops: Mapping[str, int]
    recipe: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Model:
    name: str
    in_collection: str
    config: str
    protocol: str
    metadata: _Metadata
    weights: str | None = None  # the first weight file's URL, where model-index's own tools look for it
    weight_files: tuple[WeightSource, ...] = ()
    results: tuple[_Result, ...] = ()


def load_index(path: str | Path = ROOT / "model-index.yml") -> Mapping[str, ModelSpec]:
    """Every model of the index, in the metafiles' order.

    Raises:
        MetafileError: an entry that can't be what it should; names file, model and field.
    """
    return _load_index(Path(path).resolve())


@cache
def _load_index(path: Path) -> Mapping[str, ModelSpec]:
    root = _read(path)
    imports = root["Import"] if isinstance(root, dict) and set(root) == {"Import"} else None
    if not isinstance(imports, list):
        raise MetafileError(f"{path}: expected 'Import:' with a list of metafiles, and nothing else")
    specs: dict[str, ModelSpec] = {}
    for name in imports:
        for spec in _load_metafile(path.parent / str(name)):
            if spec.name in specs:
                raise MetafileError(f"{spec.metafile}: model {spec.name}: also in {specs[spec.name].metafile}")
            specs[spec.name] = spec
    return specs


def get_spec(name: str) -> ModelSpec:
    """The model of that name.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    specs = load_index()
    if name not in specs:
        raise UnknownNameError("model", name, specs)
    return specs[name]


def find_by_sha256(sha256: str) -> ModelSpec | None:
    """The model that a weight file with this sha256 (64 hex digits) belongs to."""
    return next((spec for spec in load_index().values() if any(w.is_file(sha256) for w in spec.weights)), None)


def _load_metafile(path: Path) -> list[ModelSpec]:
    content = _read(path)
    if not isinstance(content, dict) or set(content) != {"Collections", "Models"}:
        raise MetafileError(f"{path}: expected the lists 'Collections' and 'Models', and nothing else")
    entries = [
        schema.build(_Collection, _snake_case(entry), f"{path}: collection {_name(entry)}", MetafileError)
        for entry in content["Collections"] or ()
    ]
    collections = {entry.name: entry for entry in entries}
    return [_spec(path, entry, collections) for entry in content["Models"] or ()]


def _spec(path: Path, raw: object, collections: Mapping[str, _Collection]) -> ModelSpec:
    where = f"{path}: model {_name(raw)}"
    model = schema.build(_Model, _snake_case(raw), where, MetafileError)
    if model.in_collection not in collections:
        raise MetafileError(f"{where}: In Collection: there is no {model.in_collection!r} in this file")
    for protocol in (model.protocol, *(result.protocol for result in model.results)):
        if protocol not in PROTOCOLS:
            raise MetafileError(f"{where}: Protocol: there is no {protocol!r}{suggestion(protocol, PROTOCOLS)}")
    try:
        architecture = load_config(ROOT / model.config).model
    except ConfigError as error:
        raise MetafileError(f"{where}: Config: {error}") from None
    collection = collections[model.in_collection]
    return ModelSpec(
        name=model.name,
        publisher=collection.name,
        config=model.config,
        architecture=architecture,
        protocol=model.protocol,
        num_params=model.metadata.parameters,
        flops=model.metadata.flops,
        metafile=relative_to_root(path),
        weights=model.weight_files,
        reported=tuple(_reported(result) for result in model.results),
        paper=collection.paper.url,
        code=collection.code.url,
        license=collection.license,
        recipe=model.metadata.recipe,
    )


def _reported(result: _Result) -> ReportedResult:
    return ReportedResult(
        dataset=result.dataset,
        protocol=result.protocol,
        top1=result.metrics.top_1_accuracy,
        top5=result.metrics.top_5_accuracy,
        published_by=result.published_by,
        where=result.where,
        note=result.note,
    )


def _read(path: Path) -> object:
    try:
        with open(path, encoding="utf-8") as file:
            return yaml.load(file, Loader=_Loader)  # noqa: S506  a safe loader: data, no objects
    except OSError as error:
        raise MetafileError(f"{path}: can't be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise MetafileError(f"{path}: not YAML: {error}") from None


def _snake_case(value: object) -> object:
    """The same with "Published By" as published_by, at every level but below Recipe and FLOPs, which hold names."""
    if isinstance(value, list):
        return [_snake_case(item) for item in value]
    if isinstance(value, dict):
        pairs = ((str(key).lower().replace(" ", "_"), item) for key, item in value.items())
        return {key: item if key in ("recipe", "flops") else _snake_case(item) for key, item in pairs}
    return value


def _name(entry: object) -> object:
    return entry.get("Name", "without a Name") if isinstance(entry, dict) else repr(entry)
