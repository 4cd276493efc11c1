"""Keras files: ``.h5`` (Keras 1, 2 and 3), ``.weights.h5`` and ``.keras`` (Keras 3).

Formats: keras/src/legacy/saving/legacy_h5_format.py and keras/src/saving/saving_lib.py.
"""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes
from densezoo.formats.containers.zip import Archive
from densezoo.formats.keras.graph import read_graph
from densezoo.formats.keras.hdf5.datasets import read_tensor
from densezoo.formats.keras.hdf5.file import LAYOUT, File, HDF5Object
from densezoo.formats.limits import MAX_JSON
from densezoo.types import Checkpoint, Node

#: Keras 1's names; its "running_std" holds the variance.
_KERAS1 = {"W": "kernel", "b": "bias", "running_mean": "moving_mean", "running_std": "moving_variance"}
#: {class in the name of a layer's group: (kind of layer, the names of its numbered variables)} of Keras 3.
_VARIABLES = {
    "conv2d": ("conv", ("kernel", "bias")),
    "batch_normalization": ("norm", ("gamma", "beta", "moving_mean", "moving_variance")),
    "dense": ("linear", ("kernel", "bias")),
}
_LAYERS = ("layers", "_layer_checkpoint_dependencies")  # the group of a model's layers; the latter: Keras 2.12, 2.13
_FACTS = ("backend", "keras_version")
#: The fact of Keras 3's files that tells the class of a model that stands in another one, and has the convolutions.
MODEL = "model"
#: The fact of a file of weights alone whose author named no layer: they are known by their numbers.
NUMBERED = {"names": "numbered"}
_SCOPE_AGAIN = re.compile(r"(?<![^/])([^/]+)/(?=\1(/|$))")
_OPTIMISERS = ("optimizer_weights", "optimizer")

WEIGHTS_MEMBER, CONFIG_MEMBER = "model.weights.h5", "config.json"


def read_h5(data: Bytes) -> Checkpoint:
    """The weights of a Keras ``.h5`` or ``.weights.h5`` file.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; claims more than it holds; links to other files; no Keras file.
    """
    return _read(File(data), "")


def read_keras(archive: Archive, root: str) -> Checkpoint:
    """The weights and the computation of a ``.keras`` file.

    Args:
        archive: the zip archive.
        root: the folder in it that everything lies in.

    Raises:
        FormatError: broken or truncated; claims more than it holds; links to other files; a configuration that is no
            JSON.
    """
    config = archive.read(CONFIG_MEMBER)
    if len(config) > MAX_JSON:
        raise FormatError(f"{archive.path}: {CONFIG_MEMBER} takes {len(config):,} bytes; expected at most {MAX_JSON:,}")
    return _read(File(archive.read(WEIGHTS_MEMBER)), bytes(config.read()).decode("utf-8", "replace"))


def _read(file: File, config: str) -> Checkpoint:
    if any(name in file.root.members for name in _LAYERS) and file.texts(file.root, "layer_names") is None:
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
        weights = _listed(file, stored, "weight_names")
        params = [weight.rpartition("/")[2].removesuffix(":0").removeprefix(f"{layer}_") for weight in weights]
        model = len(set(params)) < len(params)  # a model that stands in this one as a layer
        for weight, param in zip(weights, params):
            # how often a model's scopes stand in the names of its weights depends on TensorFlow's version
            holder = _SCOPE_AGAIN.sub("", f"{layer}/{weight.rpartition('/')[0]}") if model else layer
            name = f"{holder}/{_KERAS1.get(param, param)}"
            if name in tensors:
                raise FormatError(f"{file.path}: {name} is there twice; expected it once")
            tensors[name] = read_tensor(file, file.find(stored, weight), name)
    graph = read_graph("".join(file.texts(file.root, "model_config") or []), str(file.path))
    facts = {name: "".join(file.texts(group, name) or file.texts(file.root, name) or []) for name in _FACTS}
    if not graph and _are_numbered(_holders(tensors)):
        tensors, facts = _by_number(tensors), facts | NUMBERED
    return Checkpoint(
        str(file.path),
        "keras-h5",
        tensors,
        _dropped(file),
        metadata=facts,
        graph=graph,
        undescribed_layers=() if graph else tuple(layers),
    )


def _holders(tensors: Iterable[str]) -> list[str]:
    """The layers that the tensors are in, each once."""
    return list(dict.fromkeys(name.rpartition("/")[0] for name in tensors))


def _are_numbered(layers: list[str]) -> bool:
    """Whether a network of convolutions has only such names of layers as Keras gives."""
    named = all(any(_number(kind, layer) for kind in _VARIABLES) for layer in layers)
    return named and any(_number("conv2d", layer) for layer in layers)


def _by_number(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of layers that Keras named, under the layer's kind and its rank among those of its class."""
    ranks: dict[str, str] = {}
    for kind, (role, _) in _VARIABLES.items():
        numbered = sorted((int(m[1] or 0), name) for name in _holders(tensors) if (m := _number(kind, name)))
        ranks |= {name: f"{role}.{rank}" for rank, (_, name) in enumerate(numbered)}
    split = ((name.rpartition("/"), tensor) for name, tensor in tensors.items())
    return {f"{ranks[layer]}.{param}": tensor for (layer, _, param), tensor in split}


def _listed(file: File, node: HDF5Object, name: str) -> list[str]:
    """An attribute that lists names; Keras splits a long list into the attributes name0, name1, ..."""
    names = file.texts(node, name)
    if names is not None:
        return names
    parts: list[list[str]] = []
    while (part := file.texts(node, f"{name}{len(parts)}")) is not None:
        parts.append(part)
    return [text for part in parts for text in part]


def _by_rank(file: File, config: str) -> Checkpoint:
    """A file of Keras 3, which numbers the layers of a class in the model's order: conv2d, conv2d_1, ... with gaps."""
    graph = read_graph(config, str(file.path))
    tensors: dict[str, Tensor] = {}
    names: list[str] = []
    facts: dict[str, str] = {}
    for path, layers in _models(file):
        names += layers.members
        variables = dict([*_ranked(file, layers), *_others(file, layers, path)])
        twice = [name for name in variables if name in tensors]
        if twice:
            raise FormatError(
                f"{file.path}: {twice[0]} is in {path} and in another model of the file; expected it once"
            )
        tensors |= variables
        if "conv.0.kernel" in variables:
            facts[MODEL] = path.rpartition("/")[0].rpartition("/")[2]
    return Checkpoint(
        str(file.path),
        "keras3",
        tensors,
        _dropped(file),
        facts,
        graph=tuple(_numbered(graph)),
        undescribed_layers=() if graph else tuple(names),
    )


def _numbered(graph: Sequence[Node]) -> Iterator[Node]:
    """The steps with their layers named as `_by_rank` names them."""
    ranks: Counter[str] = Counter()
    for node in graph:
        yield dataclasses.replace(node, weights=(f"{node.op}.{ranks[node.op]}",))
        ranks[node.op] += 1


def _ranked(file: File, layers: HDF5Object) -> Iterator[tuple[str, Tensor]]:
    """The variables of the numbered layers, under the layer's kind and its rank among those of its class."""
    for kind, (role, names) in _VARIABLES.items():
        numbered = [(int(m[1] or 0), name) for name in layers.members if (m := _number(kind, name))]
        for rank, (_, name) in enumerate(sorted(numbered)):
            for number, address in file.find(layers, f"{name}/vars").members.items():
                if not number.isdigit() or int(number) >= len(names):
                    raise FormatError(f"{file.path}: {name} has a variable {number!r}; expected 0..{len(names) - 1}")
                yield (
                    f"{role}.{rank}.{names[int(number)]}",
                    read_tensor(file, file.node(address), f"{name}/vars/{number}"),
                )


def _others(file: File, layers: HDF5Object, parent: str) -> Iterator[tuple[str, Tensor]]:
    """The variables of all other layers, under their path; `_models` gives the models among the layers."""
    for name, address in layers.members.items():
        inner = {} if any(_number(kind, name) for kind in _VARIABLES) else file.node(address).members
        for part in (part for part in inner if part not in _LAYERS):
            for path, dataset in _datasets(file, file.node(inner[part])):
                full = f"{parent}/{name}/{part}/{path}".strip("/")
                yield full, read_tensor(file, dataset, full)


def _number(kind: str, name: str) -> re.Match[str] | None:
    return re.fullmatch(rf"{kind}(?:_(\d+))?", name)


def _models(file: File) -> Iterator[tuple[str, HDF5Object]]:
    """(path, group of layers) of the model, and of the models among its layers."""
    todo = [("", file.root)]
    while todo:
        parent, node = todo.pop()
        for name in (name for name in node.members if name in _LAYERS):
            layers = file.find(node, name)
            yield f"{parent}/{name}", layers
            todo += [(f"{parent}/{name}/{child}", file.node(address)) for child, address in layers.members.items()]


def _dropped(file: File) -> dict[str, int]:
    """{"optimiser state": number of its tensors}; empty if the file has none."""
    groups = [file.find(file.root, name) for name in _OPTIMISERS if name in file.root.members]
    count = sum(1 for group in groups for _ in _datasets(file, group))
    return {"optimiser state": count} if count else {}


def _datasets(file: File, group: HDF5Object) -> Iterator[tuple[str, HDF5Object]]:
    """Every dataset below a group, with its path; the reader's limit ends groups that hold each other."""
    todo = [("", group)]
    while todo:
        path, node = todo.pop()
        if node.message(LAYOUT) is not None:
            yield path, node
        todo += [(f"{path}/{name}".lstrip("/"), file.node(address)) for name, address in node.members.items()]
