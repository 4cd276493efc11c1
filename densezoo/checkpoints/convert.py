"""`Checkpoint` -> canonical state_dict: which source, which architecture, then every tensor in its place or none.

There is no partial conversion: a tensor too few, too many or of another shape is a `CheckpointError` with the lists.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from densezoo import schema
from densezoo.checkpoints.keymaps import KEYMAPS
from densezoo.errors import CheckpointError
from densezoo.models.topology import Layer, kind_of, layers, transition_channels
from densezoo.types import Architecture, Checkpoint, ConversionReport, KeyMap, Stem

OPTIONAL_PARAMS = ("num_batches_tracked",)  # a counter: absent before torch 0.4.1, and no part of the function

#: What a file may state and the network always does: fields of `Architecture` to be.
FIXED = {"transition_pool": "avg", "pool_padding": "torch", "ceil_mode": False, "head_pool": None}

#: Fields that tensors show, so that a difference can be named.
INFERRED = (
    "growth_rate", "block_config", "num_init_features", "bn_size", "reduction", "stem", "in_chans", "num_classes",
)  # fmt: skip


@dataclass(frozen=True)
class Naming:
    """A key table as one file uses it: with the file's wrapper prefix, and its choice among alternative names."""

    keymap: KeyMap
    prefix: str
    tensors: Mapping[str, Tensor]

    def key(self, role: str, param: str, block: int = 0, layer: int = 0) -> str | None:
        """The file's name for a parameter; None where the source has no such role."""
        if role not in self.keymap.templates:
            return None
        source_param = self.keymap.params[kind_of(role)][param]
        names = [
            f"{self.prefix}{name}.{source_param}"
            for template in self.keymap.templates[role]
            for name in [template.format(block=block, layer=layer, block0=block - 1, layer0=layer - 1)]
        ]
        return next((name for name in names if name in self.tensors), names[0])

    def shape(self, role: str, block: int = 0, layer: int = 0) -> tuple[int, ...] | None:
        """The shape of a role's weight in the file; None where it isn't there."""
        key = self.key(role, "weight", block, layer)
        return tuple(self.tensors[key].shape) if key is not None and key in self.tensors else None


def convert(
    checkpoint: Checkpoint, architecture: Architecture | None = None, **options: object
) -> tuple[Architecture, dict[str, Tensor], ConversionReport]:
    """The canonical float32 state_dict that a checkpoint holds.

    Args:
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that no tensor shows (``aa_layer``, ``bn_eps``, ...).

    Raises:
        CheckpointError: no known source's names; tensors missing, unexpected or of another shape; weights that are
            not finite numbers; an option that is no field, or that contradicts what the file states.
    """
    naming = recognise(checkpoint)
    found = infer_architecture(naming)
    stated = _stated(checkpoint, options if architecture is None else dataclasses.asdict(architecture) | options)
    if options or stated:
        values = dataclasses.asdict(found) | stated | options
        found = schema.build(Architecture, values, f"{checkpoint.path}: options", CheckpointError)
    arch = architecture or found
    places, report = _compare(checkpoint, naming, arch)
    if not report.exact:
        raise CheckpointError(_refusal(checkpoint, report, found))
    state_dict = {name: _canonical(checkpoint, key, checkpoint.tensors[key]) for name, key in places.items()}
    for layer in layers(arch):
        if layer.kind == "norm":
            state_dict.setdefault(f"{layer.name}.num_batches_tracked", torch.tensor(0))
    return arch, state_dict, report


def _stated(checkpoint: Checkpoint, wanted: Mapping[str, object]) -> dict[str, object]:
    """What the file says of its architecture.

    Raises:
        CheckpointError: the network can't do that, or it is not what is wanted.
    """
    for name, value in checkpoint.semantics.items():
        expected = FIXED.get(name, wanted.get(name, value))
        if value != expected:
            raise CheckpointError(f"{checkpoint.path}: states {name} {value!r}; expected {expected!r}")
    return {name: value for name, value in checkpoint.semantics.items() if name not in FIXED}


def recognise(checkpoint: Checkpoint) -> Naming:
    """The source whose names explain most of the file.

    Raises:
        CheckpointError: none explains any.
    """
    namings = [naming for keymap in KEYMAPS if (naming := _naming(keymap, checkpoint.tensors)) is not None]
    if not namings:
        some = ", ".join(list(checkpoint.tensors)[:4])
        raise CheckpointError(
            f"{checkpoint.path}: not a DenseNet under any naming that densezoo knows "
            f"({', '.join(keymap.name for keymap in KEYMAPS)}); it holds {len(checkpoint.tensors)} tensors: {some}, ..."
        )
    return max(namings, key=lambda naming: _compare(checkpoint, naming, infer_architecture(naming))[1].matched)


def _naming(keymap: KeyMap, tensors: Mapping[str, Tensor]) -> Naming | None:
    """The table with the prefix that this file puts before its names; None where no dense layer is found."""
    first_layer = Naming(keymap, "", tensors).key("layer.conv1", "weight", 1, 1)
    ends = [name for name in tensors if first_layer and f".{name}".endswith(f".{first_layer}")]
    if not ends or first_layer is None:
        return None
    return Naming(keymap, min(ends, key=len).removesuffix(first_layer), tensors)


def infer_architecture(naming: Naming) -> Architecture:
    """What the tensors' names and shapes say; a field whose tensor isn't there keeps its default."""
    depths = (_depth(naming, block) for block in itertools.count(1))
    block_config = tuple(itertools.takewhile(bool, depths))
    default = Architecture(block_config=block_config or (1,))
    stem: Stem = "deep" if naming.shape("stem.conv2") else "imagenet" if naming.shape("stem.norm0") else "cifar"
    stem_conv = naming.shape("stem.conv2" if stem == "deep" else "stem.conv0")
    conv1, conv2 = (naming.shape(role, 1, 1) for role in ("layer.conv1", "layer.conv2"))
    growth_rate = _side(conv2 or conv1, 0, default.growth_rate)
    return dataclasses.replace(
        default,
        stem=stem,
        growth_rate=growth_rate,
        num_init_features=_side(stem_conv, 0, default.num_init_features),
        bn_size=max(1, _side(conv1, 0, growth_rate) // growth_rate) if conv2 else None,
        reduction=_reduction(naming, len(block_config)),
        in_chans=_side(naming.shape("stem.conv0"), 1, default.in_chans),
        num_classes=_side(naming.shape("classifier"), 0, default.num_classes),
    )


def _depth(naming: Naming, block: int) -> int:
    """Consecutive layers of a block that the file names."""
    there = (naming.shape("layer.conv1", block, layer) is not None for layer in itertools.count(1))
    return sum(1 for _ in itertools.takewhile(bool, there))


def _side(shape: tuple[int, ...] | None, axis: int, default: int) -> int:
    return shape[axis] if shape is not None and len(shape) > axis and shape[axis] > 0 else default


def _reduction(naming: Naming, blocks: int) -> float:
    """The factor that every transition agrees with: 0.5 or 1 where they do, as in every published network."""
    shapes = (naming.shape("transition.conv", block) for block in range(1, blocks))
    sides = [(shape[1], shape[0]) for shape in shapes if shape is not None and len(shape) > 1 and min(shape[:2]) > 0]
    exact = [0.5, 1.0] + [min(1.0, (reduced + 0.5) / channels) for channels, reduced in sides]
    fits = (r for r in exact if all(transition_channels(before, r) == after for before, after in sides))
    return next(fits, 0.5)


def _expected(arch: Architecture, naming: Naming) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """(canonical name, the file's name, shape) of every tensor that the network needs."""
    for layer in layers(arch):
        for param, shape in layer.shapes().items():
            yield f"{layer.name}.{param}", _key(naming, layer, param), shape


def _key(naming: Naming, layer: Layer, param: str) -> str:
    # A role that the source can't name is missing under its canonical name.
    return naming.key(layer.role, param, layer.block, layer.index) or f"{naming.prefix}{layer.name}.{param}"


def _compare(checkpoint: Checkpoint, naming: Naming, arch: Architecture) -> tuple[dict[str, str], ConversionReport]:
    """{canonical name: the file's name} of what fits, and what doesn't."""
    places, missing, mismatched = {}, [], {}
    for name, key, shape in _expected(arch, naming):
        if key not in checkpoint.tensors:
            missing.append(key)
            continue
        places[name] = key
        found = tuple(checkpoint.tensors[key].shape)
        if found != shape:
            mismatched[key] = (shape, found)
    for layer in layers(arch):
        for param in OPTIONAL_PARAMS if layer.kind == "norm" else ():
            key = _key(naming, layer, param)
            if key in checkpoint.tensors and tuple(checkpoint.tensors[key].shape) == ():
                places[f"{layer.name}.{param}"] = key
    explained = set(places.values())
    return places, ConversionReport(
        source=naming.keymap.name,
        format=checkpoint.format,
        architecture=arch,
        matched=len(places) - len(mismatched),
        dropped=checkpoint.dropped,
        missing=tuple(missing),
        unexpected=tuple(key for key in checkpoint.tensors if key not in explained),
        mismatched=mismatched,
    )


def _canonical(checkpoint: Checkpoint, key: str, tensor: Tensor) -> Tensor:
    """The tensor as the network stores it: float32, every number finite."""
    if not tensor.is_floating_point():
        return tensor
    if not torch.isfinite(tensor).all():
        raise CheckpointError(f"{checkpoint.path}: {key} holds numbers that are not finite; the file is damaged")
    return tensor.to(torch.float32)


def _refusal(checkpoint: Checkpoint, report: ConversionReport, found: Architecture) -> str:
    lines = [f"{checkpoint.path}: does not hold the expected network; nothing was loaded"]
    differing = [
        f"{field.name} is {getattr(found, field.name)}, expected {getattr(report.architecture, field.name)}"
        for field in dataclasses.fields(Architecture)
        if field.name in INFERRED and getattr(found, field.name) != getattr(report.architecture, field.name)
    ]
    if differing:
        lines.append(f"  by its tensors ({report.source} names): {'; '.join(differing)}")
    shapes = [f"{key}: expected {want}, found {have}" for key, (want, have) in report.mismatched.items()]
    for what, items in (("missing", report.missing), ("unexpected", report.unexpected), ("mismatched", shapes)):
        if items:
            lines.append(f"  {what} ({len(items)}): " + ", ".join(items[:5]) + (", ..." if len(items) > 5 else ""))
    lines.append("  use the config of that architecture, or a complete checkpoint of this one")
    return "\n".join(lines)
