"""One metafile -> its entries, checked: what a publisher states for each model, as it states it.

The format is the model-index package's (https://github.com/paperswithcode/model-index), so its tools and OpenMIM read
the files too; what it has no words for (protocol, provenance, weight files) are further keys of the same style.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import TypeVar

from densezoo import schema
from densezoo.errors import MetafileError, suggestion
from densezoo.paths import relative_to_root
from densezoo.protocols import PROTOCOLS
from densezoo.protocols.own import ENDINGS
from densezoo.types import Figure, WeightSource

T = TypeVar("T")

URL_FIELDS = ("url", "weights", "code", "mirrors")
SCHEMES = ("https://",)
FILE_SCHEMES = ("https://", "http://", "kaggle://")  # of weight files: as their publishers link to them
_NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")


# What a metafile may say, one dataclass an entry; "In Collection" in YAML is in_collection here.


@dataclass(frozen=True)
class Link:
    """A paper, or code."""

    url: str
    title: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class Collection:
    """A publisher."""

    name: str
    paper: Link
    code: Link | None = None
    license: str | None = None
    metadata: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Metrics:
    """Percent, with the digits as they were published; at least one of them."""

    top_1_accuracy: Figure | None = None
    top_5_accuracy: Figure | None = None

    def __post_init__(self) -> None:
        if self.top_1_accuracy is None and self.top_5_accuracy is None:
            raise MetafileError("states neither Top 1 Accuracy nor Top 5 Accuracy")
        for name, value in (("top_1_accuracy", self.top_1_accuracy), ("top_5_accuracy", self.top_5_accuracy)):
            if value is not None and not 0 <= value <= 100:
                raise MetafileError(f"{name} is {value}; expected percent, 0 to 100")


@dataclass(frozen=True)
class Result:
    """One published accuracy.

    Args:
        protocol: may be absent only where ``not_evaluable`` says why.
        test_time_augmentation: a name of `densezoo.data.views`; None: each image once.
        not_evaluable: why densezoo can't measure the same: it can't read the dataset, or nobody knows the protocol.
    """

    task: str
    dataset: str
    metrics: Metrics
    published_by: str
    where: str
    protocol: str | None = None
    note: str | None = None
    test_time_augmentation: str | None = None
    not_evaluable: str | None = None

    def __post_init__(self) -> None:
        if self.protocol is None and self.not_evaluable is None:
            raise MetafileError("states neither Protocol nor why it is Not Evaluable")


@dataclass(frozen=True)
class StatedRecipe:
    """What a publisher says of the training, and nothing that it doesn't say."""

    training_data: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    optimizer: str | None = None
    lr: float | None = None
    lr_schedule: str | None = None
    lr_step_size: int | None = None
    lr_gamma: float | None = None
    momentum: float | None = None
    weight_decay: float | None = None
    dropout: float | None = None
    label_smoothing: float | None = None
    augmentation: str | None = None
    training_techniques: tuple[str, ...] = ()
    training_resources: str | None = None
    training_time: str | None = None
    training_note: str | None = None


@dataclass(frozen=True)
class Metadata(StatedRecipe):
    """Facts of the network and of its training, under the keys that model-index, OpenMIM and mmpretrain look for.

    Args:
        parameters: trainable ones.
        image_size: side in pixels that FLOPs are counted at.
        flops: by ``flops_convention`` (`densezoo.families.flops`).
        other_flops: {convention: FLOPs}, where a publisher states several, or another than the entry's first.
        crop_pct, interpolation: those of the protocol, for tools that don't know it.
        classes: outputs, where they are not as many as the config's, such as those of a fine-tuned network.
        multi_label: whether an image may have several of the classes.
    """

    parameters: int | None = None
    image_size: int | None = None
    flops: int | None = None
    flops_convention: str = "torchvision"
    other_flops: Mapping[str, int] = field(default_factory=dict)
    crop_pct: float | None = None
    interpolation: str | None = None
    classes: int | None = None
    multi_label: bool | None = None

    @property
    def all_flops(self) -> dict[str, int]:
        """{convention: FLOPs}."""
        return {**({} if self.flops is None else {self.flops_convention: self.flops}), **self.other_flops}


@dataclass(frozen=True)
class Origin:
    """What weights were converted from: a URL or the name of a model, and the code that they are of."""

    weights: str
    code: str | None = None


@dataclass(frozen=True)
class Model:
    """What one publisher states for one set of weights. Of several metafiles that do, the first states the rest.

    Args:
        weights: the first weight file's URL, where model-index's own tools look for it.
        readme: the model's card, relative to the metafile.
        converted_from: the origin of a port's weights, where mmpretrain has it.
        port_of: the model whose weights these are, in another framework's file.
        not_evaluable: why densezoo can't evaluate it on what it was published for. Protocol may be absent then.
    """

    name: str
    in_collection: str
    config: str | None = None
    protocol: str | None = None
    metadata: Metadata = field(default_factory=Metadata)
    code: Link | None = None
    readme: str | None = None
    converted_from: Origin | None = None
    aliases: tuple[str, ...] = ()
    port_of: str | None = None
    not_evaluable: str | None = None
    weights: str | None = None
    weight_files: tuple[WeightSource, ...] = ()
    results: tuple[Result, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A model with its publisher.

    Args:
        metafile: relative to the repository.
        error_prefix: metafile and model, for messages.
    """

    model: Model
    collection: Collection
    metafile: str
    error_prefix: str


def entries_of(content: object, path: Path) -> list[Entry]:
    """The entries of one metafile, in its order.

    Args:
        content: the value of its YAML.
        path: of the file, for messages.

    Raises:
        MetafileError: names file, model and field of the first thing that is not as it should be.
    """
    if not isinstance(content, dict) or set(content) != {"Collections", "Models"}:
        raise MetafileError(f"{path}: expected the lists 'Collections' and 'Models', and nothing else")
    collections: dict[str, Collection] = {}
    for raw in content["Collections"] or ():
        collection = _build(Collection, raw, f"{path}: collection {_name(raw)}")
        if collection.name in collections:
            raise MetafileError(f"{path}: collection {collection.name}: twice in this file")
        collections[collection.name] = collection
    entries: dict[str, Entry] = {}
    metafile = relative_to_root(path)
    for raw in content["Models"] or ():
        error_prefix = f"{path}: model {_name(raw)}"
        model = _build(Model, raw, error_prefix)
        if model.name in entries:
            raise MetafileError(f"{error_prefix}: twice in this file")
        _check_references(model, collections, error_prefix)
        entries[model.name] = Entry(model, collections[model.in_collection], metafile, error_prefix)
    return list(entries.values())


def recipe_fields(recipe: StatedRecipe) -> dict[str, object]:
    """What a recipe states: {field in words ("batch size", "LR"): value}."""
    return {words: value for name, words in _RECIPE_WORDS.items() if (value := getattr(recipe, name))}


#: {field of a recipe: the field in words}.
_RECIPE_WORDS = {field.name: field.name.replace("_", " ").replace("lr", "LR") for field in fields(StatedRecipe)}


def _check_references(model: Model, collections: Mapping[str, Collection], error_prefix: str) -> None:
    """Hold the names in a model against what they name.

    Raises:
        MetafileError: a name that is in no table, a first weight file that isn't the first.
    """
    if not _NAME.fullmatch(model.name):
        raise MetafileError(f"{error_prefix}: Name: expected arch.tag in lower case, such as densenet169.tv_in1k")
    if model.in_collection not in collections:
        raise MetafileError(f"{error_prefix}: In Collection: there is no {model.in_collection!r} in this file")
    for protocol in (model.protocol, *(result.protocol for result in model.results)):
        if protocol is not None and protocol not in PROTOCOLS and not protocol.endswith(ENDINGS):
            raise MetafileError(f"{error_prefix}: Protocol: there is no {protocol!r}{suggestion(protocol, PROTOCOLS)}")
    _check_standard_keys(model, error_prefix)
    first = model.weight_files[0].url if model.weight_files else None
    if model.weights != first:
        raise MetafileError(
            f"{error_prefix}: Weights is {model.weights!r}; expected the first weight file's URL, {first!r}"
        )


def _check_standard_keys(model: Model, error_prefix: str) -> None:
    """Hold what is said a second time, for other tools, against what it repeats.

    Raises:
        MetafileError: they differ.
    """
    protocol = PROTOCOLS.get(model.protocol or "")
    repeated = {
        "README": (model.readme, f"../docs/models/{model.name.partition('.')[0]}.md"),
        "Metadata: Crop Pct": (model.metadata.crop_pct, protocol.crop_pct if protocol else None),
        "Metadata: Interpolation": (model.metadata.interpolation, protocol.interpolation if protocol else None),
    }
    for key, (stated, expected) in repeated.items():
        if stated is not None and stated != expected:
            raise MetafileError(f"{error_prefix}: {key} is {stated!r}; expected {expected!r}")


def _build(cls: type[T], raw: object, error_prefix: str) -> T:
    return schema.build(cls, _with_field_names(raw, error_prefix), error_prefix, MetafileError)


def _with_field_names(value: object, error_prefix: str, key: str = "") -> object:
    """The same with "Published By" as published_by, at every level but below Other FLOPs, which holds names.

    Args:
        value: of YAML.
        error_prefix: file, model and field, for messages.
        key: the field that it is the value of.

    Raises:
        MetafileError: a text that is empty, a URL of another scheme than is expected there.
    """
    if isinstance(value, str):
        _check_text(value, error_prefix, key)
    elif isinstance(value, list):
        return [_with_field_names(item, f"{error_prefix}[{i}]", key) for i, item in enumerate(value)]
    elif isinstance(value, dict):
        renamed = {}
        for name, item in value.items():
            own = str(name) if key == "other_flops" else _field(str(name))
            is_text = isinstance(item, str)
            unchanged = item.strip() and own not in URL_FIELDS if is_text else not isinstance(item, (list, dict))
            renamed[own] = item if unchanged else _with_field_names(item, f"{error_prefix}: {own}", own)
        return renamed
    return value


def _check_text(text: str, error_prefix: str, key: str) -> None:
    """No text is empty, and what is a URL begins with https://.

    Raises:
        MetafileError: it is; it doesn't.
    """
    if not text.strip():
        raise MetafileError(f"{error_prefix}: is empty; leave out what isn't known")
    schemes = FILE_SCHEMES if key == "weights" or "weight_files" in error_prefix else SCHEMES
    if key in URL_FIELDS and not text.startswith(schemes):
        raise MetafileError(f"{error_prefix}: is {text!r}; expected a URL that begins with {' or '.join(schemes)}")


@cache
def _field(key: str) -> str:
    return key.lower().replace(" ", "_")


def _name(entry: object) -> object:
    return entry.get("Name", "without a Name") if isinstance(entry, dict) else repr(entry)
