"""`Checkpoint` -> canonical state_dict: which source, which architecture, then every tensor in its place or none.

There is no partial conversion: a tensor too few, too many or of another shape is a `CheckpointError` with the lists,
and so is a computation that the network can't express.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from densezoo import schema
from densezoo.conversion.names import Naming, candidates, infer_architecture, is_counter
from densezoo.conversion.others import name_network, other_dimensions
from densezoo.errors import CheckpointError
from densezoo.families.densenet.graph import read_computation
from densezoo.families.densenet.keymaps import DROPPED_NAMES, KEYMAPS
from densezoo.families.densenet.layers import Layer, layers
from densezoo.families.densenet.timm import named_by_timm
from densezoo.families.densenet.torch7 import fold_modules
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Architecture, Checkpoint, ConversionReport

OPTIONAL_PARAMS = ("num_batches_tracked",)  # a counter: absent before torch 0.4.1, and no part of the function

LARGE_FILE = 64 << 20  # bytes, from which on reading takes noticeably longer than looking at names and shapes

#: Fields that tensors show, so that a difference can be named.
INFERRED = (
    "growth_rate", "block_config", "num_init_features", "bn_size", "reduction", "stem", "in_chans", "num_classes",
)  # fmt: skip

Places = dict[str, tuple[Layer, str, tuple[str, ...]]]  # {canonical name: layer, parameter, the file's names}


def convert(
    checkpoint: Checkpoint, architecture: Architecture | None = None, **options: object
) -> tuple[Architecture, dict[str, Tensor], ConversionReport]:
    """The canonical float32 state_dict that a checkpoint holds; an empty one if its numbers were not read.

    What no tensor shows (epsilon, pools) comes, first to last, from the file itself, the caller, the source's
    table, the given architecture, the defaults.

    Args:
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that no tensor shows (``aa_layer``, ``bn_eps``, ...).

    Raises:
        CheckpointError: no known source's names; tensors missing, unexpected or of another shape; weights that are
            not finite numbers; an option that is no field, or that the file contradicts; another computation.
    """
    checkpoint = named_by_timm(fold_modules(checkpoint))
    naming = recognise(checkpoint)
    found = infer_architecture(naming)
    _check_description(checkpoint, naming, found)
    stated, weights = _stated(checkpoint, found)
    if architecture is not None:  # what tensors show is then held against them, not against the file's own words
        stated = {name: value for name, value in stated.items() if name not in INFERRED}
    arch, choices = _decide(checkpoint, naming, architecture or found, stated, options)
    places, report = _compare(checkpoint, naming, arch)
    if not report.exact:
        raise CheckpointError(_refusal(checkpoint, naming, report, found))
    _check_weights(checkpoint, naming, arch, weights)
    if architecture is None:
        _ask(checkpoint, naming, found, {**stated, **options})
    if any(tensor.is_meta for tensor in checkpoint.tensors.values()):
        return arch, {}, report
    state_dict = {
        name: _canonical(checkpoint, naming, layer, param, keys) for name, (layer, param, keys) in places.items()
    }
    for layer in layers(arch):
        if layer.kind == "norm":
            state_dict.setdefault(f"{layer.name}.num_batches_tracked", torch.tensor(0))
    told = checkpoint.graph or checkpoint.semantics or checkpoint.described
    assumed = () if told else (f"computation: not in the file; taken {naming.keymap.assumes}",)
    hints = (*checkpoint.hints, *assumed, *choices, *_head_notes(checkpoint, naming), *naming.keymap.notes)
    return arch, state_dict, dataclasses.replace(report, hints=hints)


def read_network(path: str | Path, architecture: Architecture | None = None, **options: object) -> Checkpoint:
    """`densezoo.formats.detect.read_checkpoint`, of a large file only once its names and shapes are a DenseNet's.

    Args:
        architecture, options: as for `convert`.

    Raises:
        FormatError: the file can't be read.
        CheckpointError: as for `convert`.
    """
    if os.path.exists(path) and os.path.getsize(path) > LARGE_FILE:
        convert(read_checkpoint(path, shapes_only=True), architecture, **options)
    return read_checkpoint(path)


def recognise(checkpoint: Checkpoint) -> Naming:
    """The source whose names explain most of the file.

    Raises:
        CheckpointError: none explains any; says what network it is where the names tell.
    """
    other = other_dimensions(checkpoint.tensors)
    if other is not None:
        raise CheckpointError(f"{checkpoint.path}: {other}; densezoo's DenseNets are over two (images)")
    namings = candidates(checkpoint)
    if not namings:
        some = ", ".join(list(checkpoint.tensors)[:4])
        known = name_network(checkpoint.tensors)
        if known is not None:
            raise CheckpointError(
                f"{checkpoint.path}: by its names this is {known}; densezoo converts whole DenseNets "
                f"(its {len(checkpoint.tensors)} tensors: {some}, ...)"
            )
        raise CheckpointError(
            f"{checkpoint.path}: not a DenseNet under any naming that densezoo knows "
            f"({', '.join(keymap.name for keymap in KEYMAPS)}); it holds {len(checkpoint.tensors)} tensors: {some}, ..."
        )
    return max(namings, key=lambda naming: _compare(checkpoint, naming, infer_architecture(naming))[1].matched)


def _stated(checkpoint: Checkpoint, found: Architecture) -> tuple[dict[str, object], list[tuple[str, ...]]]:
    """What the file, its graph and its description say of the computation, and which weights a layer takes.

    Raises:
        CheckpointError: they contradict each other; graph or description are another network's.
    """
    stated = dict(checkpoint.semantics)
    for network in checkpoint.described:
        for name, value in (network.fields or {}).items():
            if name not in INFERRED and not _equal(stated.setdefault(name, value), value):
                raise CheckpointError(
                    f"{network.where}: says {name} {value!r}; {checkpoint.path} says {stated[name]!r}; nothing was "
                    "loaded"
                )
    weights: list[tuple[str, ...]] = []
    if checkpoint.graph:
        seen = read_computation(checkpoint.graph, found, checkpoint.path)
        weights = seen.weights
        for name, value in seen.semantics.items():
            if not _equal(stated.setdefault(name, value), value):
                raise CheckpointError(
                    f"{checkpoint.path}: its metadata says {name} {stated[name]!r}, its computation {value!r}"
                )
    return stated, weights


def _check_description(checkpoint: Checkpoint, naming: Naming, found: Architecture) -> None:
    """Hold the network that is named beside the tensors to what they show.

    Raises:
        CheckpointError: they show another network; names both.
    """
    if not checkpoint.described or not _compare(checkpoint, naming, found)[1].exact:
        return  # of a file that is incomplete, the list of what is missing says more
    for network in checkpoint.described:
        said = network.fields or {}
        wrong = [name for name in INFERRED if name in said and not _equal(said[name], getattr(found, name))]
        if network.fields is None or wrong:
            claim = f"timm's {network.name}" if network.fields else f"{network.name}, none of timm's DenseNets"
            raise CheckpointError(
                f"{network.where}: says that the network is {claim}"
                + "".join(f", {name} {said[name]}" for name in wrong)
                + f"; by its tensors {checkpoint.path} is a DenseNet of "
                + ", ".join(f"{name} {getattr(found, name)}" for name in wrong or INFERRED)
                + "; nothing was loaded: replace or remove the one that is wrong"
            )


def _check_weights(checkpoint: Checkpoint, naming: Naming, arch: Architecture, weights: list[tuple[str, ...]]) -> None:
    """That every layer of the computation takes the tensors that its place in the names gives it."""
    for layer, used in zip(layers(arch), weights):
        params = (naming.keys(layer.role, param, layer.block, layer.index) or () for param in layer.shapes())
        expected = [key for keys in params for key in keys]
        inside = tuple(f"{name}{end}" for name in used for end in "./")
        by_tensor = all(name in checkpoint.tensors for name in used)  # then each in its place, and no other
        if list(used) != expected if by_tensor else not all(key.startswith(inside) or key in used for key in expected):
            raise CheckpointError(
                f"{checkpoint.path}: in its computation {layer.name} takes {', '.join(used) or 'no weights'}; by its "
                f"names it should take {', '.join(expected)}; nothing was loaded"
            )


def _ask(checkpoint: Checkpoint, naming: Naming, found: Architecture, known: Mapping[str, object]) -> None:
    """Hold a file to saying what its source's networks with this stem differ in.

    Raises:
        CheckpointError: neither it nor the caller says so.
    """
    if found.stem not in naming.keymap.asks or checkpoint.graph:
        return
    name, values = naming.keymap.asks[found.stem]
    if name not in known:
        choices = ", or ".join(f"--options {name}={value} ({whose})" for value, whose in values.items())
        raise CheckpointError(
            f"{checkpoint.path}: networks of {naming.keymap.name} names with this stem ({found.stem}) differ in "
            f"{name}, which their tensors (growth_rate {found.growth_rate}, block_config {found.block_config}) don't "
            f"show; say which it is: {choices}"
        )


def _head_notes(checkpoint: Checkpoint, naming: Naming) -> list[str]:
    """What a classifier under another name than the source's, or a softmax after it, leaves to say."""
    keys, usual = naming.keys("classifier", "weight"), naming.keymap.templates.get("classifier", ())
    notes = []
    said = checkpoint.graph or naming.keymap.notes  # what comes after it
    if keys and len(usual) > 1 and not said and keys[0] != f"{naming.prefix}{usual[0]}.weight":
        name = keys[0].removesuffix(".weight")
        notes.append(f"the classifier is {name}, whose outputs are returned: a sigmoid beside it would be in no tensor")
    if any(node.op == "softmax" for node in checkpoint.graph):
        notes.append("the file's network ends in a softmax; densezoo returns the logits before it")
    return notes


def _decide(
    checkpoint: Checkpoint,
    naming: Naming,
    base: Architecture,
    stated: Mapping[str, object],
    options: Mapping[str, object],
) -> tuple[Architecture, list[str]]:
    """The architecture, and where each choice that no tensor shows comes from."""
    for name in options.keys() & stated.keys():
        if not _equal(options[name], stated[name]):
            raise CheckpointError(
                f"{checkpoint.path}: {name} was asked to be {options[name]!r}, and the file says {stated[name]!r}; "
                f"leave the option {name} out"
            )
    table = naming.keymap.semantics
    values = {**dataclasses.asdict(base), **table, **options, **stated}
    arch = schema.build(type(base), values, f"{checkpoint.path}: options", CheckpointError)
    hints = []
    for name in dict.fromkeys([*stated, *options, *table]):
        if name in INFERRED:
            continue
        origin = "the file says so" if name in stated else "as asked" if name in options else "as this source has it"
        hints.append(f"{name} {getattr(arch, name)}: {origin}")
    return arch, hints


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)  # written as float32 by some, as decimal by others
    sequences = isinstance(one, (list, tuple)) and isinstance(other, (list, tuple))
    return list(one) == list(other) if sequences else one == other  # type: ignore[call-overload]


def _expected(arch: Architecture, naming: Naming) -> Iterator[tuple[Layer, str, tuple[str, ...], tuple[int, ...]]]:
    """(layer, parameter, the file's names, shape) of every tensor that the network needs."""
    for layer in layers(arch):
        for param, shape in layer.shapes().items():
            # A role that the source can't name is missing under its canonical name.
            keys = naming.keys(layer.role, param, layer.block, layer.index)
            yield layer, param, keys or (f"{naming.prefix}{layer.name}.{param}",), shape


def _compare(checkpoint: Checkpoint, naming: Naming, arch: Architecture) -> tuple[Places, ConversionReport]:
    """Where every tensor that fits belongs, and what doesn't fit."""
    places: Places = {}
    missing, mismatched = [], {}
    for layer, param, keys, shape in _expected(arch, naming):
        absent = [key for key in keys if key not in checkpoint.tensors]
        if absent:
            missing += absent
            continue
        places[f"{layer.name}.{param}"] = layer, param, keys
        found = naming.made_shape(layer.role, param, keys)
        if found != shape:
            mismatched[keys[0]] = (shape, found or tuple(checkpoint.tensors[keys[0]].shape))
    for layer in layers(arch):
        for param in OPTIONAL_PARAMS if layer.kind == "norm" else ():
            counter = naming.keys(layer.role, param, layer.block, layer.index)
            if counter and counter[0] in checkpoint.tensors and is_counter(checkpoint.tensors[counter[0]]):
                places[f"{layer.name}.{param}"] = layer, param, counter
    explained = {key for _, _, keys in places.values() for key in keys}
    dropped = Counter(checkpoint.dropped)
    unexpected = []
    for key in checkpoint.tensors:
        if key not in explained:
            kind = _dropped(key)
            if kind is None:
                unexpected.append(key)
            else:
                dropped[kind] += 1
    return places, ConversionReport(
        source=checkpoint.source or naming.keymap.name,
        format=checkpoint.format,
        architecture=arch,
        matched=len(explained) - len(mismatched),
        dropped=dict(dropped),
        protocol=naming.keymap.protocol,
        missing=tuple(missing),
        unexpected=tuple(unexpected),
        mismatched=mismatched,
    )


@functools.lru_cache(1 << 14)
def _dropped(name: str) -> str | None:
    """What a tensor is that is no weight of the model, by its name."""
    return next((kind for pattern, kind in DROPPED_NAMES if re.fullmatch(pattern, name)), None)


def _canonical(checkpoint: Checkpoint, naming: Naming, layer: Layer, param: str, keys: tuple[str, ...]) -> Tensor:
    """The tensor as the network stores it: float32, every number finite, and in memory of its own."""
    stored = [checkpoint.tensors[key] for key in keys]
    if param in OPTIONAL_PARAMS:
        return stored[0].clone()
    if not all(tensor.is_floating_point() for tensor in stored):
        raise CheckpointError(
            f"{checkpoint.path}: {keys[0]} holds {stored[0].dtype} numbers; expected floating point, not quantised"
        )
    tensor = naming.make(layer.role, param, [part.to(torch.float32) for part in stored])
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"{checkpoint.path}: {keys[0]} holds numbers that are not finite; the file is damaged")
    if param == "running_var" and tensor.min() < 0:
        raise CheckpointError(f"{checkpoint.path}: {keys[0]} holds a negative variance; the file is damaged")
    own = tensor.data_ptr() != stored[0].data_ptr()
    return (
        tensor.contiguous() if own and tensor.is_contiguous() else tensor.clone(memory_format=torch.contiguous_format)
    )


def _refusal(checkpoint: Checkpoint, naming: Naming, report: ConversionReport, found: Architecture) -> str:
    lines = [f"{checkpoint.path}: does not hold the expected network; nothing was loaded"]
    differing = [
        f"{field.name} is {getattr(found, field.name)}, expected {getattr(report.architecture, field.name)}"
        for field in dataclasses.fields(report.architecture)
        if field.name in INFERRED and getattr(found, field.name) != getattr(report.architecture, field.name)
    ]
    head = {key for param in ("weight", "bias") for key in naming.keys("classifier", param) or ()}
    if head == set(report.missing) and not report.mismatched:
        lines.append("  these are a DenseNet's features without their classifier; the whole network's file is wanted")
    if differing:
        lines.append(f"  by its tensors ({report.source} names): {'; '.join(differing)}")
    shapes = [f"{key}: expected {want}, found {have}" for key, (want, have) in report.mismatched.items()]
    for what, items in (("missing", report.missing), ("unexpected", report.unexpected), ("mismatched", shapes)):
        if items:
            lines.append(f"  {what} ({len(items)}): " + ", ".join(items[:5]) + (", ..." if len(items) > 5 else ""))
    lines += [f"  {hint}" for hint in checkpoint.hints]
    lines.append("  use the config of that architecture, or a complete checkpoint of this one")
    return "\n".join(lines)
