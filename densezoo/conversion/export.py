"""Canonical weights -> files that other systems load themselves, each whole or not there at all."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from densezoo.conversion.match import convert
from densezoo.errors import CheckpointError
from densezoo.families.densenet.computation import computation
from densezoo.families.densenet.keymaps import KEYMAPS, numbers
from densezoo.families.densenet.layers import STEMS, layers
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.keras.writer import write_keras
from densezoo.formats.onnx.writer import write_onnx
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import Architecture, Computation

Facts = Mapping[str, object]
Writer = Callable[[Path, Architecture, Mapping[str, Tensor], Facts], None]


@dataclass(frozen=True)
class Target:
    """A system to write for.

    Args:
        write: (path, architecture, canonical state_dict, facts) -> a file.
        only: {field of `Architecture`: the values that the system's network can have}.
    """

    write: Writer
    only: Mapping[str, tuple[object, ...]] = field(default_factory=dict)


def _densezoo(path: Path, arch: Architecture, state_dict: Mapping[str, Tensor], facts: Facts) -> None:
    write_safetensors(path, state_dict, facts)


def _computed(write: Callable[[Path, Computation, Mapping[str, Tensor], Facts], None]) -> Writer:
    """A file that describes the computation."""
    return lambda path, arch, state_dict, facts: write(path, computation(arch), state_dict, facts)


def _renamed(source: str, wrap: Callable[[dict[str, Tensor]], object]) -> Writer:
    """A ``torch.save`` file under the names of a source's table."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)

    def write(path: Path, arch: Architecture, state_dict: Mapping[str, Tensor], facts: Facts) -> None:
        tensors = {}
        for layer in layers(arch):
            name = keymap.templates[layer.role][0].format(**numbers(layer.block, layer.index, 0))
            for param, made in keymap.params[layer.kind].items():
                tensors[f"{name}{made.ends[0]}"] = state_dict[f"{layer.name}.{param}"]
        try:
            torch.save(wrap(tensors), path)
        except RuntimeError as error:  # its writer's way to say that the disk is full
            raise OSError(f"{error!s:.100}") from None

    return write


_TORCH_POOLS = {
    "bn_eps": (1e-5,), "transition_pool": ("avg",), "pool_padding": ("torch",), "ceil_mode": (False,),
    "stem_ceil_mode": (None, False), "head_pool": (None,),
}  # fmt: skip
TARGETS: dict[str, Target] = {
    "densezoo": Target(_densezoo),
    "torchvision": Target(
        _renamed("torchvision", dict),
        {**_TORCH_POOLS, "stem": ("imagenet",), "reduction": (0.5,), "aa_layer": (None,), "in_chans": (3,)},
    ),
    "timm": Target(_renamed("torchvision", dict), {**_TORCH_POOLS, "stem": ("imagenet", "deep"), "reduction": (0.5,)}),
    "mmpretrain": Target(
        _renamed("mmpretrain", lambda tensors: {"meta": {}, "state_dict": tensors}),
        {**_TORCH_POOLS, "stem": ("imagenet",), "aa_layer": (None,)},
    ),
    "onnx": Target(_computed(write_onnx), {"aa_layer": (None,), "pool_padding": ("torch",)}),
    "keras": Target(
        _computed(write_keras), {"aa_layer": (None,), "head_pool": (None,), "stem_ceil_mode": (None, False)}
    ),
}
_NEED_BOTTLENECK = ("torchvision", "timm", "mmpretrain")


def misfits(to: str, arch: Architecture) -> list[str]:
    """What a system's network can't have of this one; empty where it can be it."""
    only = TARGETS[to].only
    wrong = [f"{name} {getattr(arch, name)!r}" for name, values in only.items() if getattr(arch, name) not in values]
    if arch.bn_size is None and to in _NEED_BOTTLENECK:
        wrong.append("no bottleneck")
    if to == "timm" and arch.num_init_features != 2 * arch.growth_rate:
        wrong.append(f"num_init_features {arch.num_init_features} with growth_rate {arch.growth_rate}")
    if to == "keras" and arch.ceil_mode and STEMS[arch.stem].pool and arch.stem_ceil_mode is None:
        wrong.append("ceil_mode in the stem")
    return wrong


def export(path: Path, to: str, arch: Architecture, state_dict: Mapping[str, Tensor], facts: Facts) -> None:
    """Write weights for a system, and read what was written before it takes its place.

    Args:
        to: a key of TARGETS.
        state_dict: canonical names, float32.
        facts: JSON values that go into the file where its format has room.

    Raises:
        CheckpointError: the system's network can't be this one; the folder can't be written; the file reads back as
            another network.
        FormatError: a package that the writer needs is missing.
    """
    wrong = misfits(to, arch)
    if wrong:
        raise CheckpointError(
            f"{path}: {to}'s DenseNet can't have {', '.join(wrong)}; the file would hold another network's weights. "
            "Write a .safetensors or .onnx file, which carry it"
        )
    if not path.parent.is_dir():
        raise CheckpointError(f"{path}: can't be written (there is no folder {path.parent})")
    if os.path.exists(path) and not path.is_file():  # a device would be replaced by a file of its name
        raise CheckpointError(f"{path}: is no regular file; give the name of the file to write")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        TARGETS[to].write(
            temporary, arch, {name: tensor.detach().contiguous() for name, tensor in state_dict.items()}, facts
        )
        found = _difference(temporary, arch, state_dict)
        if found:
            raise CheckpointError(f"{path}: would read back as another network ({found}); not written. Report this")
        os.replace(temporary, path)
    except OSError as error:
        raise CheckpointError(f"{path}: can't be written ({error.strerror or error})") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def _difference(path: Path, arch: Architecture, state_dict: Mapping[str, Tensor]) -> str:
    """In what a file that was just written holds other weights or another network; empty where it doesn't."""
    found, again, _ = convert(read_checkpoint(path), arch)
    names = [name for name in state_dict if "num_batches" not in name and not state_dict[name].equal(again[name])]
    return ", ".join(names[:4]) or ("" if _function(found) == _function(arch) else str(found))


def _function(arch: Architecture) -> Architecture:
    """The same network as far as its outputs go: without dropout, with the stem's rounding spelled out."""
    stem = arch.ceil_mode if arch.stem_ceil_mode is None else arch.stem_ceil_mode
    return dataclasses.replace(arch, drop_rate=0.0, stem_ceil_mode=stem)
