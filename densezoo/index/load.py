"""An index, ``metafiles/index.yml``, and the metafiles that it imports -> {name: `ModelSpec`}.

Several publishers speak of the same weights: each says in its own metafile what it claims, and the entries of one name
make one `ModelSpec`. Files and results follow each other in the order of Import; facts are united, and two metafiles
that contradict each other are an error.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from densezoo.config import load_config
from densezoo.errors import ConfigError, MetafileError, UnknownNameError, suggestion
from densezoo.index.metafile import Entry, Result, entries_of, recipe_fields
from densezoo.index.parsed import ParsedFiles
from densezoo.index.placed import placed
from densezoo.index.search import nearest_name
from densezoo.paths import INDEX, ROOT, private_index
from densezoo.protocols import get_protocol
from densezoo.protocols.own import ENDINGS
from densezoo.types import Experiment, ModelSpec, ReportedResult, WeightSource

MOST_OTHERS = 3  # models of an architecture that are named where its name stands for another one

T = TypeVar("T")


def load_index(path: str | Path | None = None) -> Mapping[str, ModelSpec]:
    """Every model of an index, {name: model}, in the metafiles' order.

    Args:
        path: the index, a list of metafiles; None: densezoo's own, and after it the private one, if there is one
            (`densezoo.paths.private_index`).

    Raises:
        MetafileError: an entry that can't be what it should; names file, model and field.
    """
    private = private_index() if path is None else None
    if private is not None:
        return _with_private(private)
    return _load_index(Path(path or INDEX).resolve())


@cache
def _with_private(path: Path) -> Mapping[str, ModelSpec]:
    """densezoo's models and those of a private index.

    Raises:
        MetafileError: a name or an alias of both.
    """
    public, private = _load_index(INDEX.resolve()), _load_index(path)
    for name in public.keys() & private.keys():
        raise MetafileError(f"{private[name].metafiles[0]}: model {name}: is a model of densezoo's; choose another tag")
    specs = {**public, **private}
    _aliases(specs.values())
    return specs


@cache
def _load_index(path: Path) -> Mapping[str, ModelSpec]:
    files = ParsedFiles(path)
    root = files.read(path)
    imports = root["Import"] if isinstance(root, dict) and set(root) == {"Import"} else None
    if not isinstance(imports, list):
        made = path.with_name("metafiles") / "index.yml"  # densezoo's model-index.yml is made for OpenMIM from it
        meant = f"; {made} is meant" if made.is_file() else ""
        raise MetafileError(f"{path}: expected 'Import:' with a list of metafiles, and nothing else{meant}")
    if len(set(map(str, imports))) != len(imports):
        raise MetafileError(f"{path}: Import names a metafile twice")
    by_name: dict[str, list[Entry]] = {}
    for name in imports:
        metafile = path.parent / str(name)
        for entry in entries_of(files.read(metafile), metafile):
            by_name.setdefault(entry.model.name, []).append(placed(entry, path.parent))
    read_config = cache(lambda config: load_config(ROOT / config))  # many models have the same one
    specs = {name: _merge(entries, read_config) for name, entries in by_name.items()}
    known = specs if path == INDEX.resolve() else {**_load_index(INDEX.resolve()), **specs}  # a port may be of either
    for spec in specs.values():
        _check_port(spec, known)
    _aliases(specs.values())  # a clash is an error of the index, not of whoever asks for that alias
    files.keep()
    return specs


def get_spec(name: str) -> ModelSpec:
    """The model of that name or alias.

    For an architecture's name (``densenet121``) it logs which of several models is taken, and why.

    Args:
        name: of the model.

    Raises:
        UnknownNameError: there is none; names the nearest one of the same numbers.
    """
    specs = load_index()
    aliases = _aliases(specs.values())
    own_name = aliases.get(name, name)
    if own_name not in specs:
        near = nearest_name(name, (*aliases, *specs))
        raise UnknownNameError("model", name, [near] if near else [], _LISTED)
    tell_which(name, specs[own_name], specs.values())
    return specs[own_name]


def tell_which(name: str, spec: ModelSpec, specs: Iterable[ModelSpec]) -> None:
    """Log once which model an architecture's name stands for, if there are several models of that architecture.

    Args:
        name: that a user gave; if it is no architecture's name, nothing is logged.
        spec: the model that is taken.
        specs: all models.
    """
    others = [f"{other.name} ({other.protocol})" for other in specs if other.arch == name and other != spec]
    if name != spec.arch or not others:
        return
    why = f"{spec.named_by[name]}'s name for it" if name in spec.named_by else "the first one in the index"
    listed = ", ".join(others[:MOST_OTHERS])
    if len(others) > MOST_OTHERS:
        listed += f" and {len(others) - MOST_OTHERS} more: densezoo list_models '{name}.*'"
    _log_once(f"{name} stands for {spec.name}: {why}; its protocol is {spec.protocol}; others: {listed}")


@cache
def _log_once(message: str) -> None:
    import logging  # here, because it is slow to import and a start seldom says anything

    logging.getLogger("densezoo").warning(message)


_LISTED = "densezoo has the DenseNet family; densezoo list_models lists it"


def find_by_sha256(sha256: str) -> ModelSpec | None:
    """The model that a file of weights belongs to; None if no model has a published hash that fits.

    Args:
        sha256: of the file, 64 hex digits.
    """
    return next((spec for spec in load_index().values() if any(w.is_file(sha256) for w in spec.weights)), None)


def _aliases(specs: Iterable[ModelSpec]) -> dict[str, str]:
    """{alias: name}.

    Raises:
        MetafileError: an alias that is a name or another model's alias.
    """
    owners = {spec.name: spec.name for spec in specs}
    names = set(owners)
    for spec in specs:
        for alias in spec.aliases:
            if alias in owners:
                error_prefix = f"{', '.join(spec.metafiles)}: model {spec.name}: Aliases"
                raise MetafileError(f"{error_prefix}: {alias!r} already stands for {owners[alias]}")
            owners[alias] = spec.name
    return {alias: name for alias, name in owners.items() if alias not in names}


def _check_port(spec: ModelSpec, specs: Mapping[str, ModelSpec]) -> None:
    """Refuse a chain of ports that doesn't end at a training.

    Raises:
        MetafileError: a port of no model of the index, or of itself.
    """
    error_prefix, passed, port = f"{spec.metafiles[0]}: model {spec.name}: Port Of", {spec.name}, spec.port_of
    while port is not None:
        if port not in specs:
            raise MetafileError(f"{error_prefix}: there is no model {port!r}{suggestion(port, specs)}")
        if port in passed:
            raise MetafileError(f"{error_prefix}: {port} is a port of itself")
        passed.add(port)
        port = specs[port].port_of


def _merge(entries: Sequence[Entry], read_config: Callable[[str], Experiment]) -> ModelSpec:
    """The model that all publishers' entries together describe."""
    first, models = entries[0], [entry.model for entry in entries]
    facts = _united(entries, "", [_facts(entry) for entry in _of_one_config(entries)])
    required = ["Config", "Metadata: Parameters", *([] if "Not Evaluable" in facts else ["Protocol"])]
    for name in required:
        if name not in facts:
            raise MetafileError(f"{first.error_prefix}: {name} is missing, here and in every other metafile")
    flops = _united(entries, "Metadata: FLOPs: ", [model.metadata.all_flops for model in models])
    if flops and "Metadata: Image Size" not in facts:
        raise MetafileError(f"{first.error_prefix}: Metadata: Image Size is missing: FLOPs are counted at some size")
    config = str(facts["Config"])
    try:
        experiment = read_config(config)
    except ConfigError as error:
        raise MetafileError(f"{first.error_prefix}: Config: {error}") from None
    try:
        protocol = _protocol(str(facts.get("Protocol", experiment.protocol)))
    except ConfigError as error:
        raise MetafileError(f"{first.error_prefix}: Protocol: {error}") from None
    architecture, classes = experiment.model, facts.get("Metadata: Classes")
    if classes is not None:
        architecture = dataclasses.replace(architecture, num_classes=int(classes))
    image_size, port_of = facts.get("Metadata: Image Size"), facts.get("Port Of")
    code = first.model.code or first.collection.code
    return ModelSpec(
        name=first.model.name,
        aliases=tuple(alias for model in models for alias in model.aliases),
        publisher=first.collection.name,
        config=config,
        architecture=architecture,
        protocol=protocol,
        num_params=int(facts["Metadata: Parameters"]),
        image_size=None if image_size is None else int(image_size),
        flops=flops,
        metafiles=tuple(entry.metafile for entry in entries),
        weights=_weights(entries),
        reported=_reported(entries),
        port_of=None if port_of is None else str(port_of),
        paper=first.collection.paper.url,
        code=None if code is None else code.url,
        license=first.collection.license,
        recipe=_united(entries, "Metadata: ", [recipe_fields(model.metadata) for model in models]),
        named_by={alias: entry.collection.name for entry in entries for alias in entry.model.aliases},
        multi_label=bool(facts.get("Metadata: Multi Label")),
        not_evaluable=None if "Not Evaluable" not in facts else str(facts["Not Evaluable"]),
    )


def _facts(entry: Entry) -> Mapping[str, str | int]:
    """{field: value} of what an entry states and may leave to another."""
    model = entry.model
    stated = {
        "Config": model.config,
        "Protocol": model.protocol,
        "Port Of": model.port_of,
        "Not Evaluable": model.not_evaluable,
        "Metadata: Parameters": model.metadata.parameters,
        "Metadata: Classes": model.metadata.classes,
        "Metadata: Image Size": model.metadata.image_size,
        "Metadata: Multi Label": model.metadata.multi_label,
    }
    return {name: value for name, value in stated.items() if value is not None}


def _united(entries: Sequence[Entry], prefix: str, facts: Sequence[Mapping[str, T]]) -> dict[str, T]:
    """The union of what the entries state.

    Raises:
        MetafileError: two of them state different values.
    """
    united: dict[str, T] = {}
    origin: dict[str, str] = {}
    for entry, stated in zip(entries, facts):
        for name, value in stated.items():
            if united.setdefault(name, value) != value:
                contradiction = f"{prefix}{name} is {value!r}, but {united[name]!r} in {origin[name]}"
                raise MetafileError(f"{entry.error_prefix}: {contradiction}")
            origin.setdefault(name, entry.metafile)
    return united


def _protocol(name: str) -> str:
    """The name of a protocol; that of a file is one of its owner's own (`densezoo.protocols.own`).

    Raises:
        ConfigError: the file can't be read.
    """
    return get_protocol(str(ROOT / name)).name if name.endswith(ENDINGS) else name


def _of_one_config(entries: Sequence[Entry]) -> Sequence[Entry]:
    """The same entries; where each has a copy of one config in its own folder, all name the first one's."""
    configs = {entry.model.config for entry in entries if entry.model.config is not None}
    if len(configs) < 2:
        return entries
    contents = {(ROOT / config).read_bytes() if (ROOT / config).is_file() else None for config in configs}
    (content,) = contents if len(contents) == 1 else (None,)
    if content is None or b"_base_" in content:  # its bases may differ
        return entries
    first = next(entry.model.config for entry in entries if entry.model.config is not None)
    return [
        dataclasses.replace(entry, model=dataclasses.replace(entry.model, config=entry.model.config and first))
        for entry in entries
    ]


def _weights(entries: Sequence[Entry]) -> tuple[WeightSource, ...]:
    listed = set()
    for entry in entries:
        for source in entry.model.weight_files:
            location = source.url or source.path
            if location is None or location in listed:
                problem = "states neither URL nor Path" if location is None else f"has {location} twice"
                raise MetafileError(f"{entry.error_prefix}: Weight Files: {problem}")
            listed.add(location)
    return tuple(source for entry in entries for source in entry.model.weight_files)


def _reported(entries: Sequence[Entry]) -> tuple[ReportedResult, ...]:
    identities = set()
    for entry in entries:
        for result in entry.model.results:
            identity = (result.dataset, result.protocol, result.published_by, result.where, result.note)
            if identity in identities:
                stated = " / ".join(filter(None, identity))
                raise MetafileError(f"{entry.error_prefix}: Results: {stated} twice")
            identities.add(identity)
    return tuple(_reported_result(result) for entry in entries for result in entry.model.results)


def _reported_result(result: Result) -> ReportedResult:
    return ReportedResult(
        dataset=result.dataset,
        protocol=result.protocol,
        top1=result.metrics.top_1_accuracy,
        top5=result.metrics.top_5_accuracy,
        published_by=result.published_by,
        where=result.where,
        note=result.note,
        tta=result.test_time_augmentation,
        not_evaluable=result.not_evaluable,
    )
