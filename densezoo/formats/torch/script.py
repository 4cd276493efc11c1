"""TorchScript archives: the module tree is a pickle, its code is text; neither is executed.

Format: torch/csrc/jit/serialization (data.pkl names classes ``__torch__...``; ``code/`` holds them in Python's syntax).
"""

from __future__ import annotations

from densezoo.errors import FormatError
from densezoo.formats.containers.pickle_values import Inert
from densezoo.formats.containers.zip import Archive
from densezoo.formats.torch.script_walk import follow
from densezoo.formats.torch.tensors import Deferred, Storages, build_all, byteorder, harmless, load_pickle
from densezoo.types import Checkpoint


def read_torchscript(archive: Archive, root: str) -> Checkpoint:
    """The state of a scripted or traced module, and the steps of its ``forward`` if it has one.

    Args:
        archive: the zip archive.
        root: the folder of all members in it.

    Raises:
        FormatError: broken; frozen (its norms are folded away); code outside the subset that densezoo follows.
    """
    path = archive.path
    module = load_pickle(
        archive.read(f"{root}/data.pkl"),
        allows=lambda name: name.startswith("__torch__.") or harmless(name),
    )
    deferred = _state(module)
    if not deferred or not isinstance(module, Inert):
        raise FormatError(
            f"{path}: a TorchScript file without a readable state (frozen: its norms are folded into the "
            "convolutions); save the module before torch.jit.freeze"
        )
    storages = Storages(lambda key: archive.read(f"{root}/data/{key}"), byteorder(archive, root))
    graph = follow(archive, root, module, {id(tensor): name for name, tensor in deferred.items()})
    tensors = build_all(path, deferred, storages)
    if not graph:  # tch-rs writes "|" for "."
        tensors = {name.replace("|", "."): tensor for name, tensor in tensors.items()}
    return Checkpoint(str(path), "torchscript", tensors, graph=graph)


def _state(module: object) -> dict[str, Deferred]:
    """{dotted name: tensor} of a tree of modules; a module that occurs twice has its first name."""
    tensors = {}
    todo, seen = [("", module)], set()
    while todo:
        name, item = todo.pop()
        if isinstance(item, Deferred):
            tensors[name] = item
        elif isinstance(item, Inert) and isinstance(item.state, dict) and id(item) not in seen:
            seen.add(id(item))
            todo += [(f"{name}.{key}" if name else str(key), value) for key, value in reversed(item.state.items())]
    return tensors
