"""Keras files: ``.h5`` (Keras 1, 2 and 3), ``.weights.h5`` and ``.keras`` (Keras 3), read with h5py.

Formats: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.archive import Archive
from densezoo.formats.binary import EXPANSION_SLACK, MAX_EXPANSION
from densezoo.formats.keras_graph import read_graph
from densezoo.types import Checkpoint

MAGIC = b"\x89HDF\r\n\x1a\n"
MAX_OBJECTS = 50_000
#: Keras 1's names; its "running_std" holds the variance.
_KERAS1 = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
#: {class in the name of a layer's group: (kind of layer, the names of its numbered variables)} of Keras 3.
_VARIABLES = {
    "conv2d": ("conv", ("kernel", "bias")),
    "batch_normalization": ("norm", ("gamma", "beta", "moving_mean", "moving_variance")),
    "dense": ("linear", ("kernel", "bias")),
}
WEIGHTS_MEMBER, CONFIG_MEMBER = "model.weights.h5", "config.json"


class _H5:
    """An HDF5 file that gives out no more than its own bytes can hold.

    Raises:
        FormatError: h5py is missing; the file is broken.
    """

    def __init__(self, path: Path, source: Any, size: int) -> None:
        try:
            import h5py
        except ImportError:
            raise FormatError(f"{path}: HDF5 files need h5py: pip install 'densezoo[formats]'") from None
        self.h5py, self.path, self._budget = h5py, path, MAX_EXPANSION * size + EXPANSION_SLACK
        try:
            self.root = h5py.File(source, "r")
        except (OSError, RuntimeError, ValueError, KeyError) as error:
            raise FormatError(self.broken(error)) from None

    def broken(self, error: object) -> str:
        return f"{self.path}: an HDF5 file by its first bytes, but broken or truncated ({error!s:.200}); fetch it anew"

    def spend(self, count: int, what: str) -> None:
        """Take bytes from the budget before they are allocated."""
        self._budget -= count
        if count < 0 or self._budget < 0:
            raise FormatError(f"{self.path}: {what} claims {count:,} bytes, more than the file can hold")

    def strings(self, group: Any, name: str) -> list[str]:
        """An attribute that lists names; Keras splits long ones over name0, name1, ..."""
        parts = [name] if name in group.attrs else [f"{name}{i}" for i in range(1000) if f"{name}{i}" in group.attrs]
        return [text for part in parts for text in self._strings(group, part)]

    def text(self, group: Any, name: str) -> str:
        """An attribute that is one text; empty where it isn't there."""
        return "".join(self._strings(group, name)) if name in group.attrs else ""

    def _strings(self, group: Any, name: str) -> list[str]:
        stored = group.attrs.get_id(name)
        self.spend(prod(stored.shape) * stored.dtype.itemsize, f"the attribute {name}")
        values = np.atleast_1d(np.asarray(group.attrs[name], dtype=object)).ravel()
        return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]

    def tensor(self, dataset: Any, what: str) -> Tensor:
        """A dataset's numbers, only from this file, only as many as are stored in it."""
        plain = isinstance(dataset, self.h5py.Dataset) and dataset.dtype.kind in "fiub" and dataset.dtype.itemsize <= 8
        if not plain or dataset.external or dataset.is_virtual:
            raise FormatError(f"{self.path}: {what} is no array of numbers in this file")
        self.spend(prod(dataset.shape) * dataset.dtype.itemsize, what)
        if dataset.chunks:
            self.spend(prod(dataset.chunks) * dataset.dtype.itemsize, f"a chunk of {what}")
        elif dataset.id.get_storage_size() != prod(dataset.shape) * dataset.dtype.itemsize:
            raise FormatError(
                f"{self.path}: {what} has shape {dataset.shape} and {dataset.id.get_storage_size()} bytes"
            )
        array = np.asarray(dataset[()])
        return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))

    def child(self, group: Any, name: str) -> Any:
        """A member of a group, reached by hard links alone."""
        for part in filter(None, name.split("/")):
            if not isinstance(group, self.h5py.Group) or not isinstance(
                group.get(part, getlink=True), self.h5py.HardLink
            ):
                raise FormatError(f"{self.path}: {name} is not there, or a link to elsewhere")
            group = group[part]
        return group


def read_h5(path: Path) -> Checkpoint:
    """The weights of a Keras ``.h5`` or ``.weights.h5`` file.

    Raises:
        FormatError: broken or truncated; claims more than it holds; links to other files; no Keras file.
    """
    return _read(path, path, path.stat().st_size, "")


def read_keras(archive: Archive, root: str) -> Checkpoint:
    """The weights and the computation of a ``.keras`` file.

    Raises:
        FormatError: as for `read_h5`; a configuration that is no JSON.
    """
    weights = archive.read(WEIGHTS_MEMBER)
    config = bytes(archive.read(CONFIG_MEMBER)).decode("utf-8", "replace")
    return _read(archive.path, io.BytesIO(weights), len(weights), config)


def _read(path: Path, source: Any, size: int, config: str) -> Checkpoint:
    file = _H5(path, source, size)
    try:
        with file.root as root:
            if "layers" in root and not root.attrs.get("layer_names", ()):
                return _by_rank(file, root, config)
            return _by_name(file, root)
    except FormatError:
        raise
    except (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, MemoryError) as error:
        raise FormatError(file.broken(error)) from None


def _by_name(file: _H5, root: Any) -> Checkpoint:
    group = file.child(root, "model_weights") if "model_weights" in root else root
    layers = file.strings(group, "layer_names")
    if not layers:
        raise FormatError(f"{file.path}: an HDF5 file without layer_names; expected Keras's")
    tensors = {}
    for layer in layers:
        stored = file.child(group, layer)
        for weight in file.strings(stored, "weight_names"):
            param = weight.rpartition("/")[2].removesuffix(":0").removeprefix(f"{layer}_")
            name = f"{layer}/{_KERAS1.get(param, param)}"
            if name in tensors:
                raise FormatError(f"{file.path}: {name} is there twice")
            tensors[name] = file.tensor(file.child(stored, weight), name)
    dropped = {"optimiser moment": _count(file, root["optimizer_weights"])} if "optimizer_weights" in root else {}
    graph = read_graph(file.text(root, "model_config"), str(file.path))
    facts = {name: file.text(root if name in root.attrs else group, name) for name in ("backend", "keras_version")}
    return Checkpoint(str(file.path), "keras-h5", tensors, dropped, metadata=facts, graph=graph)


def _by_rank(file: _H5, root: Any, config: str) -> Checkpoint:
    """Keras 3 numbers the layers of a class in the model's order: conv2d, conv2d_1, ...; gaps don't count."""
    layers = file.child(root, "layers")
    tensors = {}
    for kind, (role, names) in _VARIABLES.items():
        found = sorted((int(m[1] or 0), name) for name in layers if (m := re.fullmatch(rf"{kind}(?:_(\d+))?", name)))
        for rank, (_, name) in enumerate(found):
            variables = file.child(layers, f"{name}/vars")
            if len(variables) > len(names):
                raise FormatError(f"{file.path}: {name} has {len(variables)} variables; expected {', '.join(names)}")
            for number in variables:
                if not number.isdigit() or int(number) >= len(names):
                    raise FormatError(f"{file.path}: {name} has a variable {number!r}; expected 0..{len(names) - 1}")
                where = f"{name}/vars/{number}"
                tensors[f"{role}.{rank}.{names[int(number)]}"] = file.tensor(file.child(variables, number), where)
    others = [name for name in layers if not re.fullmatch(rf"({'|'.join(_VARIABLES)})(_\d+)?", name)]
    for name in others:
        for number, dataset in _datasets(file, layers[name]):
            tensors[f"{name}/{number}"] = file.tensor(dataset, f"{name}/{number}")
    dropped = {"optimiser moment": _count(file, root["optimizer"])} if "optimizer" in root else {}
    return Checkpoint(str(file.path), "keras3", tensors, dropped, graph=read_graph(config, str(file.path)))


def _datasets(file: _H5, group: Any) -> Iterator[tuple[str, Any]]:
    """Every dataset below a group; a file whose groups hold each other ends in an error."""
    todo, count = [("", group)], 0
    while todo:
        name, item = todo.pop()
        count += 1
        if count > MAX_OBJECTS:
            raise FormatError(f"{file.path}: more than {MAX_OBJECTS:,} objects; no Keras file of a DenseNet has that")
        if isinstance(item, file.h5py.Group):
            hard = (key for key in item if isinstance(item.get(key, getlink=True), file.h5py.HardLink))
            todo += [(f"{name}/{key}" if name else key, item[key]) for key in hard]
        elif isinstance(item, file.h5py.Dataset):
            yield name, item


def _count(file: _H5, group: Any) -> int:
    return sum(1 for _ in _datasets(file, group))
