"""Keras files: ``.h5`` (Keras 1, 2 and 3), ``.weights.h5`` and ``.keras`` (Keras 3).

Formats: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.archive import Archive
from densezoo.formats.binary import map_file
from densezoo.formats.hdf5 import LAYOUT, File, Node
from densezoo.formats.hdf5_datasets import read_tensor
from densezoo.formats.keras_graph import read_graph
from densezoo.types import Checkpoint, GraphNode

#: Keras 1's names; its "running_std" holds the variance.
_KERAS1 = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
#: {class in the name of a layer's group: (kind of layer, the names of its numbered variables)} of Keras 3.
_VARIABLES = {
    "conv2d": ("conv", ("kernel", "bias")),
    "batch_normalization": ("norm", ("gamma", "beta", "moving_mean", "moving_variance")),
    "dense": ("linear", ("kernel", "bias")),
}
_FACTS = ("backend", "keras_version")
_OPTIMISERS = ("optimizer_weights", "optimizer")
WEIGHTS_MEMBER, CONFIG_MEMBER = "model.weights.h5", "config.json"


def read_h5(path: Path) -> Checkpoint:
    """The weights of a Keras ``.h5`` or ``.weights.h5`` file.

    Raises:
        FormatError: broken or truncated; claims more than it holds; links to other files; no Keras file.
    """
    return _read(File(path, map_file(path)), "")


def read_keras(archive: Archive, root: str) -> Checkpoint:
    """The weights and the computation of a ``.keras`` file.

    Raises:
        FormatError: as for `read_h5`; a configuration that is no JSON.
    """
    config = bytes(archive.read(CONFIG_MEMBER)).decode("utf-8", "replace")
    return _read(File(archive.path, archive.read(WEIGHTS_MEMBER)), config)


def _read(file: File, config: str) -> Checkpoint:
    if "layers" in file.root.members and file.texts(file.root, "layer_names") is None:
        return _by_rank(file, config)
    return _by_name(file)


def _by_name(file: File) -> Checkpoint:
    group = file.find(file.root, "model_weights") if "model_weights" in file.root.members else file.root
    layers = _listed(file, group, "layer_names")
    if not layers:
        raise FormatError(f"{file.path}: an HDF5 file without layer_names; expected Keras's")
    tensors = {}
    for layer in layers:
        stored = file.find(group, layer)
        for weight in _listed(file, stored, "weight_names"):
            param = weight.rpartition("/")[2].removesuffix(":0").removeprefix(f"{layer}_")
            name = f"{layer}/{_KERAS1.get(param, param)}"
            if name in tensors:
                raise FormatError(f"{file.path}: {name} is there twice")
            tensors[name] = read_tensor(file, file.find(stored, weight), name)
    graph = read_graph("".join(file.texts(file.root, "model_config") or []), str(file.path))
    facts = {name: "".join(file.texts(group, name) or file.texts(file.root, name) or []) for name in _FACTS}
    return Checkpoint(str(file.path), "keras-h5", tensors, _dropped(file), metadata=facts, graph=graph)


def _listed(file: File, node: Node, name: str) -> list[str]:
    """An attribute that lists names; Keras splits a long one over name0, name1, ..."""
    whole = file.texts(node, name)
    if whole is not None:
        return whole
    parts: list[list[str]] = []
    while (part := file.texts(node, f"{name}{len(parts)}")) is not None:
        parts.append(part)
    return [text for part in parts for text in part]


def _by_rank(file: File, config: str) -> Checkpoint:
    """Keras 3 numbers the layers of a class in the model's order: conv2d, conv2d_1, ...; gaps don't count."""
    layers = file.find(file.root, "layers")
    tensors = {}
    for kind, (role, names) in _VARIABLES.items():
        found = [(int(m[1] or 0), name) for name in layers.members if (m := re.fullmatch(rf"{kind}(?:_(\d+))?", name))]
        for rank, (_, name) in enumerate(sorted(found)):
            for number, address in file.find(layers, f"{name}/vars").members.items():
                if not number.isdigit() or int(number) >= len(names):
                    raise FormatError(f"{file.path}: {name} has a variable {number!r}; expected 0..{len(names) - 1}")
                tensors[f"{role}.{rank}.{names[int(number)]}"] = read_tensor(
                    file, file.node(address), f"{name}/vars/{number}"
                )
    for name, address in layers.members.items():
        if not re.fullmatch(rf"({'|'.join(_VARIABLES)})(_\d+)?", name):
            for path, dataset in _datasets(file, file.node(address)):
                tensors[f"{name}/{path}"] = read_tensor(file, dataset, f"{name}/{path}")
    graph = tuple(_numbered(read_graph(config, str(file.path))))
    return Checkpoint(str(file.path), "keras3", tensors, _dropped(file), graph=graph)


def _numbered(graph: tuple[GraphNode, ...]) -> Iterator[GraphNode]:
    """The steps with their layers named as `_by_rank` names them."""
    ranks: Counter[str] = Counter()
    for node in graph:
        yield dataclasses.replace(node, weights=(f"{node.op}.{ranks[node.op]}",))
        ranks[node.op] += 1


def _dropped(file: File) -> dict[str, int]:
    """How many numbers the optimiser keeps."""
    groups = [file.find(file.root, name) for name in _OPTIMISERS if name in file.root.members]
    count = sum(1 for group in groups for _ in _datasets(file, group))
    return {"optimiser state": count} if count else {}


def _datasets(file: File, group: Node) -> Iterator[tuple[str, Node]]:
    """Every dataset below a group, with its path; the reader's limit ends groups that hold each other."""
    todo = [("", group)]
    while todo:
        path, node = todo.pop()
        if node.message(LAYOUT) is not None:
            yield path, node
        todo += [(f"{path}/{name}".lstrip("/"), file.node(address)) for name, address in node.members.items()]
