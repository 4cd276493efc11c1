"""A file's tensors compared with those that a network needs: which match, which are missing, which are unexpected."""

from __future__ import annotations

import dataclasses
import functools
import re
from collections import Counter
from collections.abc import Iterator

import torch
from torch import Tensor

from densezoo.errors import some
from densezoo.families.naming import Naming
from densezoo.types import Architecture, Checkpoint, ConversionReport, Layer

OPTIONAL_PARAMS = ("num_batches_tracked",)  # a counter: absent before torch 0.4.1, and no part of the function

#: (pattern of a name that is no weight of the model, what it is).
_DROPPED = (
    (r"(moments|moment[12]|accum|stat|adam_[mv]|velocity)\..+", "optimiser moment"),
    (r"(.+[./])?(num_batches_tracked|N|n_averaged|steps?|initted)", "counter"),
    (
        r"(global_step|epoch_num|step_num|current_iterator_step|last_overflow_iterator_step|learning_rate|lr|momentum|"
        r"weight_decay|beta[12]_power|loss_scale|scale_sense|growth_(factor|interval|tracker)|best_\w+)",
        "training counter",
    ),
    (r".*seed_generator(_state)?.*", "random state"),
    (r"(.+\.)?(loss|loss_fn|criterion)\.(pos_)?weight", "loss weight"),
)

Matches = dict[str, tuple[Layer, str, tuple[str, ...]]]  # {canonical name: layer, parameter, the file's names}


def match_tensors(checkpoint: Checkpoint, naming: Naming, arch: Architecture) -> tuple[Matches, ConversionReport]:
    """Match a file's tensors with a network's.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        arch: the network.

    Returns:
        The tensors of the network that the file has, and the report, with those that are missing, unexpected or of
        another shape.
    """
    matches: Matches = {}
    missing, mismatched = [], {}
    for layer, param, keys, shape in _expected(arch, naming):
        absent = [key for key in keys if key not in checkpoint.tensors]
        if absent:
            missing += absent
            continue
        matches[f"{layer.name}.{param}"] = layer, param, keys
        stored = naming.made_shape(layer.role, param, keys)
        if stored != shape:
            mismatched[keys[0]] = (shape, stored or tuple(checkpoint.tensors[keys[0]].shape))
    for layer in naming.family.layers(arch):
        for param in OPTIONAL_PARAMS if counts_batches(layer) else ():
            counter = naming.keys(layer.role, param, layer.block, layer.index)
            if counter and counter[0] in checkpoint.tensors and is_counter(checkpoint.tensors[counter[0]]):
                matches[f"{layer.name}.{param}"] = layer, param, counter
    explained = {key for _, _, keys in matches.values() for key in keys}
    dropped = Counter(checkpoint.dropped)
    unexpected = []
    for key in checkpoint.tensors:
        if key not in explained:
            kind = dropped_kind(key)
            if kind is None:
                unexpected.append(key)
            else:
                dropped[kind] += 1
    return matches, ConversionReport(
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


def _expected(arch: Architecture, naming: Naming) -> Iterator[tuple[Layer, str, tuple[str, ...], tuple[int, ...]]]:
    """(layer, parameter, the file's names, shape) of every tensor that the network needs."""
    for layer in naming.family.layers(arch):
        for param, shape in layer.shapes.items():
            # a parameter that the source has no name for is listed as missing under its canonical name
            keys = naming.keys(layer.role, param, layer.block, layer.index)
            yield layer, param, keys or (f"{naming.prefix}{layer.name}.{param}",), shape


def is_counter(tensor: Tensor) -> bool:
    """Whether a tensor is one whole number."""
    return tensor.ndim == 0 and not tensor.is_floating_point() and tensor.dtype != torch.bool


@functools.lru_cache(1 << 14)
def dropped_kind(name: str) -> str | None:
    """What a tensor of this name is that is no weight of the model; None of a name that may be one's."""
    return next((kind for pattern, kind in _DROPPED if re.fullmatch(pattern, name)), None)


def counts_batches(layer: Layer) -> bool:
    """Whether torch's module of a layer has a counter beside its running statistics.

    Args:
        layer: the layer.
    """
    return "running_mean" in layer.shapes


def refusal(checkpoint: Checkpoint, naming: Naming, report: ConversionReport, inferred: Architecture) -> str:
    """The message for a file that is not exactly the expected network: what differs, and what to do.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        report: of `match_tensors`.
        inferred: the architecture that the file's tensors show.
    """
    lines = [f"{checkpoint.path}: does not hold the expected network; nothing was loaded"]
    differing = [
        f"{field.name} is {getattr(inferred, field.name)}, expected {getattr(report.architecture, field.name)}"
        for field in dataclasses.fields(report.architecture)
        if field.name in naming.family.inferred
        and getattr(inferred, field.name) != getattr(report.architecture, field.name)
    ]
    head = {
        key
        for layer in naming.family.layers(report.architecture)
        if layer.role in naming.family.head
        for param in layer.shapes
        for key in naming.keys(layer.role, param, layer.block, layer.index) or ()
    }
    if head == set(report.missing) and not report.mismatched:
        owner = naming.family.a_title
        lines.append(f"  these are {owner}'s features without their classifier; expected the whole network's file")
    if differing:
        lines.append(f"  by its tensors ({report.source} names): {'; '.join(differing)}")
    shapes = [f"{key}: expected {want}, found {have}" for key, (want, have) in report.mismatched.items()]
    for kind, items in (("missing", report.missing), ("unexpected", report.unexpected), ("mismatched", shapes)):
        if items:
            lines.append(f"  {kind} ({len(items)}): {some(items)}")
    lines += [f"  {hint}" for hint in checkpoint.hints]
    lines.append("  use the config of that architecture, or a complete checkpoint of this one")
    return "\n".join(lines)
