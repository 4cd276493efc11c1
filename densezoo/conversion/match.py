"""`Checkpoint` -> canonical state_dict: finds the source and the architecture, then converts every tensor, or none.

There is no partial conversion: missing tensors, unexpected ones and other shapes are a `CheckpointError` that lists
them, and so is a computation that the network can't express.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import os
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from densezoo import schema
from densezoo.conversion.compare import OPTIONAL_PARAMS, counts_batches, match_tensors, refusal
from densezoo.conversion.names import candidates
from densezoo.conversion.others import name_network, other_dimensions
from densezoo.conversion.statements import (
    ask,
    check_description,
    check_family,
    check_layers,
    check_weights,
    equal,
    explained_layers,
    statements,
)
from densezoo.errors import CheckpointError, ConfigError
from densezoo.families import families
from densezoo.families.naming import Naming
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Architecture, Checkpoint, ConversionReport, Layer

LARGE_FILE = 64 << 20  # bytes; reading larger files takes noticeably longer than reading names and shapes


def convert(
    checkpoint: Checkpoint, architecture: Architecture | None = None, **options: object
) -> tuple[Architecture, dict[str, Tensor], ConversionReport]:
    """The canonical float32 state_dict that a checkpoint holds; an empty one if its numbers were not read.

    What no tensor shows comes, first to last, from file, the caller, the source's table, ``architecture``, defaults.

    Args:
        checkpoint: the file.
        architecture: the one that the file must have; None: the one that its tensors show.
        options: fields of `Architecture` that no tensor shows (``aa_layer``, ``bn_eps``, ...).

    Raises:
        CheckpointError: no known source's names; tensors missing, unexpected or of another shape; weights that are
            not finite numbers; an option that is no field, or that the file contradicts; another computation.
    """
    checkpoint = _folded(checkpoint)
    naming = recognise(checkpoint)
    checkpoint = dataclasses.replace(checkpoint, described=naming.family.named_networks(checkpoint))
    inferred = _infer(checkpoint, naming)
    check_family(checkpoint, naming, architecture)
    check_layers(checkpoint, naming)
    check_description(checkpoint, naming, inferred)
    stated, weights = statements(checkpoint, naming, inferred)
    if architecture is not None:  # fields that tensors show are compared with them, not with the file's text
        shown = naming.family.freedom.alternatives if checkpoint.graph else ()
        stated = {name: value for name, value in stated.items() if name not in naming.family.inferred or name in shown}
    arch, choices = _decide(checkpoint, naming, architecture or inferred, stated, options)
    if architecture is not None:
        _check_requested(checkpoint, naming, architecture, arch, stated, options)
    matches, report = match_tensors(checkpoint, naming, arch)
    if not report.exact:
        raise CheckpointError(refusal(checkpoint, naming, report, inferred))
    check_weights(checkpoint, naming, arch, weights)
    if architecture is None:
        ask(checkpoint, naming, inferred, {**stated, **options})
    if any(tensor.is_meta for tensor in checkpoint.tensors.values()):
        return arch, {}, report
    state_dict = {
        name: _canonical(checkpoint, naming, layer, param, keys) for name, (layer, param, keys) in matches.items()
    }
    for layer in naming.family.layers(arch):
        if counts_batches(layer):
            state_dict.setdefault(f"{layer.name}.num_batches_tracked", torch.tensor(0))
    return arch, state_dict, dataclasses.replace(report, hints=_hints(checkpoint, naming, choices))


def shown_architecture(checkpoint: Checkpoint) -> Architecture:
    """The architecture that the names and shapes of a file's tensors show, whatever else the file says.

    Args:
        checkpoint: the file.

    Raises:
        CheckpointError: no known source's names, or a size that no network has.
    """
    checkpoint = _folded(checkpoint)
    return _infer(checkpoint, recognise(checkpoint))


def _folded(checkpoint: Checkpoint) -> Checkpoint:
    """The same with named tensors, of a file whose layers have no names (Torch7)."""
    for family in families() if checkpoint.modules else ():
        checkpoint = family.fold_modules(checkpoint)
    return checkpoint


def _hints(checkpoint: Checkpoint, naming: Naming, choices: list[str]) -> tuple[str, ...]:
    """What a report says of what no tensor shows; ``choices`` are those of `_decide`."""
    described = checkpoint.graph or checkpoint.semantics or checkpoint.described
    assumed = () if described else (f"computation: not in the file; taken {naming.keymap.assumes}",)
    explained = explained_layers(checkpoint, naming)
    return (*checkpoint.hints, *assumed, *choices, *_head_notes(checkpoint, naming), *explained, *naming.keymap.notes)


def read_network(path: str | Path, architecture: Architecture | None = None, **options: object) -> Checkpoint:
    """Read a checkpoint; of a large file the names and shapes first, so that a wrong one is refused quickly.

    Args:
        path: the file.
        architecture: the one that the file must have; None: the one that its tensors show.
        options: fields of `Architecture` that no tensor shows (``aa_layer``, ``bn_eps``, ...).

    Raises:
        FormatError: the file can't be read.
        CheckpointError: the names and shapes are of no known network, of another one, or of an incomplete one.
    """
    if os.path.exists(path) and os.path.getsize(path) > LARGE_FILE:
        convert(read_checkpoint(path, shapes_only=True), architecture, **options)
    return read_checkpoint(path)


def recognise(checkpoint: Checkpoint) -> Naming:
    """The source whose names match most tensors of the file.

    Args:
        checkpoint: the file.

    Raises:
        CheckpointError: no source's names match any tensor; says which other network it is if the names tell.
    """
    other = other_dimensions(checkpoint.tensors)
    if other is not None:
        raise CheckpointError(f"{checkpoint.path}: {other}; densezoo's {_titles('s')} are over two (images)")
    namings = candidates(checkpoint)
    if not namings:
        some = ", ".join(list(checkpoint.tensors)[:4])
        network = name_network(checkpoint.tensors)
        if network is not None:
            raise CheckpointError(
                f"{checkpoint.path}: by its names this is {network}; densezoo converts whole "
                f"{_titles('s')} (its {len(checkpoint.tensors)} tensors: {some}, ...)"
            )
        held = f"{len(checkpoint.tensors)} tensors: {some}, ..." if checkpoint.tensors else "no tensors"
        raise CheckpointError(
            f"{checkpoint.path}: not a {_titles()} under any naming that densezoo knows ({', '.join(_sources())}); it "
            f"holds {held}"
        )
    return max(namings, key=functools.partial(_fit, checkpoint))


def _fit(checkpoint: Checkpoint, naming: Naming) -> tuple[int, bool]:
    """How well a table fits a file: how many tensors it names, and whether they show the networks that it is for."""
    inferred = _infer(checkpoint, naming)
    shown = naming.keymap.shows.items()
    return match_tensors(checkpoint, naming, inferred)[1].matched, all(getattr(inferred, k) == v for k, v in shown)


def _infer(checkpoint: Checkpoint, naming: Naming) -> Architecture:
    """The architecture that the tensors' names and shapes say.

    Raises:
        CheckpointError: it is of a size that no network has.
    """
    try:
        arch: Architecture = naming.family.infer(naming)
    except ConfigError as error:
        raise CheckpointError(f"{checkpoint.path}: by its tensors ({naming.keymap.name} names): {error}") from None
    return arch


def _titles(plural: str = "") -> str:
    return " or ".join(f"{family.title}{plural}" for family in families())


def _sources() -> list[str]:
    return list(dict.fromkeys(keymap.name for family in families() for keymap in family.keymaps))


def _head_notes(checkpoint: Checkpoint, naming: Naming) -> list[str]:
    """Hints on a classifier under another name than the source's, and on a softmax after it."""
    keys, usual = naming.keys("classifier", "weight"), naming.keymap.templates.get("classifier", ())
    notes = []
    described = checkpoint.graph or naming.keymap.notes  # either says what follows the classifier
    name = keys[0].removesuffix(naming.params("classifier")["weight"].ends[0]) if keys else ""
    if keys and len(usual) > 1 and not described and name != f"{naming.prefix}{usual[0]}":
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
    """The architecture, and a hint on the origin of each field that no tensor shows."""
    for name in options.keys() & stated.keys():
        if not equal(options[name], stated[name]):
            raise CheckpointError(
                f"{checkpoint.path}: {name} was asked to be {options[name]!r}, and the file says {stated[name]!r}; "
                f"leave the option {name} out"
            )
    table = naming.keymap.semantics
    values = {**vars(base), **table, **options, **stated}
    arch = schema.build(type(base), values, f"{checkpoint.path}: options", CheckpointError)
    hints = []
    for name in dict.fromkeys([*stated, *options, *table]):
        if name in naming.family.inferred:
            continue
        origin = "the file says so" if name in stated else "as asked" if name in options else "as this source has it"
        hints.append(f"{name} {getattr(arch, name)}: {origin}")
    return arch, hints


def _check_requested(
    checkpoint: Checkpoint,
    naming: Naming,
    requested: Architecture,
    arch: Architecture,
    stated: Mapping[str, object],
    options: Mapping[str, object],
) -> None:
    """Refuse a file that fixes fields to other values than the caller's architecture, unless that has the default.

    Raises:
        CheckpointError: another function, whose result would be recorded as that of the caller's architecture.
    """
    family = naming.family
    for field in dataclasses.fields(requested):
        expected, decided = getattr(requested, field.name), getattr(arch, field.name)
        if field.name in options or (field.name in family.inferred and field.name not in stated):
            continue
        if equal(expected, decided) or (equal(expected, field.default) and field.name not in family.inferred):
            continue
        if arch.same_function() != dataclasses.replace(arch, **{field.name: expected}).same_function():
            raise CheckpointError(
                f"{checkpoint.path}: {field.name} was asked to be {expected!r} (the config's, or an override's); by "
                f"the file, or as networks of {naming.keymap.name} names have it, it is {decided!r}; ask for that"
            )


def _canonical(checkpoint: Checkpoint, naming: Naming, layer: Layer, param: str, keys: tuple[str, ...]) -> Tensor:
    """The tensor as the network stores it: float32, finite, contiguous, and not in the memory of the file's."""
    stored = [checkpoint.tensors[key] for key in keys]
    if param in OPTIONAL_PARAMS:
        return stored[0].clone()
    if not all(tensor.is_floating_point() for tensor in stored):
        raise CheckpointError(
            f"{checkpoint.path}: {keys[0]} holds {stored[0].dtype} numbers; expected floating point, not quantised"
        )
    tensor = naming.make(layer.role, param, [part.to(torch.float32) for part in stored])
    if not math.isfinite(tensor.sum()) and not torch.isfinite(tensor).all():  # the sum alone: a quarter of the time
        raise CheckpointError(f"{checkpoint.path}: {keys[0]} holds numbers that are not finite; the file is damaged")
    if param == "running_var" and tensor.min() < 0:
        raise CheckpointError(f"{checkpoint.path}: {keys[0]} holds a negative variance; the file is damaged")
    own = tensor.data_ptr() != stored[0].data_ptr()
    return (
        tensor.contiguous() if own and tensor.is_contiguous() else tensor.clone(memory_format=torch.contiguous_format)
    )
