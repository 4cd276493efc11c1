"""``torch.save`` files, zip and legacy -> the network's state_dict, chosen among the entries of a training script.

Format: torch/serialization.py (_save, _legacy_save). Training scripts wrap a state_dict in entries of many names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import Bytes, cut, item_size
from densezoo.formats.containers.pickle_values import Array, Inert, RefusedClass, Symbol
from densezoo.formats.containers.zip import Archive
from densezoo.formats.descriptions import config_beside, run_arguments
from densezoo.formats.torch.tensors import (
    ASK,
    Deferred,
    Stateful,
    Storages,
    TorchStorage,
    broken,
    build_all,
    byteorder,
    load_pickle,
    persistent,
)
from densezoo.formats.torch.wrappers import unwrap
from densezoo.types import Checkpoint

#: Entries of averaged weights, which timm, torchvision and others evaluate and publish where a file has them.
AVERAGED_ENTRIES = (
    "state_dict_ema", "model_ema", "ema", "ema_model", "ema_state_dict", "ema_model_state_dict", "model_ema_state",
    "model_ema_state_dict", "swa", "swa_model", "swa_state_dict", "averaged_model",
)  # fmt: skip
#: (entry of MMEngine's files that tells its version, what its EMAHook swaps before it saves: `state_dict` then holds
#: the averaged weights, and this entry those of the last step): mmengine/hooks/ema_hook.py.
MMENGINE_VERSION, SWAPPED_ENTRY = "mmengine_version", "ema_state_dict"
#: Entries of the weights in training scripts' wrappers; a state_dict under another name is one if it is the only one.
STATE_DICT_ENTRIES = ("state_dict", "model_state_dict", "model_state", "model", "net", "module")
#: pickle.dumps(0x1950A86A20F9469CFC6C, 2): the first of the pickles of a legacy file.
LEGACY_MAGIC = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."


def read_zip(archive: Archive, root: str) -> Checkpoint:
    """The state_dict of a ``torch.save`` file since torch 1.6, alone or in a training script's wrapper.

    Args:
        archive: the zip archive.
        root: the folder of all members in the archive.

    Raises:
        FormatError: broken or truncated; a pickled object, which only running code could restore; no tensors.
    """
    order = byteorder(archive, root)
    content = load_pickle(archive.read(f"{root}/data.pkl"))
    return _checkpoint(archive.path, content, Storages(lambda key: archive.read(f"{root}/data/{key}"), order))


def read_legacy(data: Bytes) -> Checkpoint:
    """The state_dict of a file before torch 1.6: five pickles, then a count and the bytes of each storage.

    Args:
        data: the whole file.

    Raises:
        FormatError: broken or truncated; a pickled object, which only running code could restore; no tensors.
    """
    path, position = data.path, 0

    def next_pickle(find: Callable[[object], object] = persistent) -> object:
        nonlocal position
        content = load_pickle(cut(data, position, len(data) - position, "a pickle"), find)
        position = data.file.tell() - data.start
        return content

    _, _, system = (next_pickle() for _ in range(3))
    order = ">" if isinstance(system, dict) and system.get("little_endian") is False else "<"
    named: dict[str, TorchStorage] = {}  # {key: storage} of the storages that tensors name

    def remember(key: object) -> TorchStorage | Symbol:
        stored = persistent(key)
        if isinstance(stored, TorchStorage):
            named.setdefault(stored.key, stored)
        return stored

    content, keys = next_pickle(remember), next_pickle()
    storages = {}
    for key in keys if isinstance(keys, list) else ():
        if key not in named:
            raise FormatError(broken(path, f"at byte {position:,}: a storage that no tensor names"))
        counted = _cut(path, data, position, 8, key).read()
        count = int.from_bytes(counted, "little" if order == "<" else "big")
        size = count * item_size(named[key].dtype)
        storages[key] = _cut(path, data, position + 8, size, f"the storage {key}")
        position += 8 + size

    def storage_bytes(key: str) -> Bytes:
        if key not in storages:
            raise FormatError(f"the storage {key} is not in the file")
        return storages[key]

    return _checkpoint(path, content, Storages(storage_bytes, order))


def _cut(path: Path, data: Bytes, start: int, length: int, subject: str) -> Bytes:
    try:
        return cut(data, start, length, subject)
    except FormatError as error:
        raise FormatError(broken(path, str(error))) from None


def _checkpoint(path: Path, content: object, storages: Storages) -> Checkpoint:
    if _is_state_dict(content):
        built = build_all(path, content, storages)
        return Checkpoint(str(path), "pytorch", built, descriptions=config_beside(path))
    wrapper = content if isinstance(content, Mapping) else {}
    state_dicts = _state_dicts(wrapper)
    entry = _choose(path, wrapper, list(state_dicts))
    if entry is None:
        raise FormatError(f"{path}: {_no_state_dict(content)}")
    network = unwrap(build_all(path, state_dicts[entry], storages))
    beside = {str(name): _count_tensors(value) for name, value in wrapper.items() if name != entry.partition(".")[0]}
    dropped = {name: count for name, count in beside.items() if count} | dict(network.dropped)
    others = ", ".join(name for name in state_dicts if name != entry)
    chosen = f"averaged ones, the entry {entry}" if entry in _averaged(wrapper, state_dicts) else f"entry {entry}"
    hints = (*((f"the weights are the {chosen}; not used: {others}",) if others else ()), *network.hints)
    arguments = wrapper.get("args")
    options = arguments.state if isinstance(arguments, Inert) else arguments
    descriptions = (*run_arguments(path, options), *config_beside(path))
    facts = {"entry": entry}
    return Checkpoint(str(path), "pytorch", network.tensors, dropped, facts, hints=hints, descriptions=descriptions)


def _choose(path: Path, wrapper: Mapping[object, object], entries: list[str]) -> str | None:
    """The entry of a training script's wrapper that holds the weights, of the entries that hold a state_dict, if any.

    Raises:
        FormatError: there are several and nothing says which is meant, or averaged weights that can't be read.
    """
    averaged, known = _averaged(wrapper, entries), [name for name in STATE_DICT_ENTRIES if name in entries]
    _refuse_unread(path, wrapper, averaged)
    chosen = averaged or known or entries
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        raise FormatError(
            f"{path}: holds several networks, {', '.join(chosen[:8])}, and nothing says which is meant; "
            "save the state_dict of that one alone"
        )
    return None


def _averaged(wrapper: Mapping[object, object], entries: Iterable[str]) -> list[str]:
    """The entries that hold averaged weights, by a part of their names."""
    meta = wrapper.get("meta")
    swapped = isinstance(meta, Mapping) and MMENGINE_VERSION in meta and SWAPPED_ENTRY in wrapper
    names = {"state_dict"} if swapped else set(AVERAGED_ENTRIES)
    return [entry for entry in entries if names.intersection(entry.split("."))]


def _refuse_unread(path: Path, wrapper: Mapping[object, object], averaged: list[str]) -> None:
    """Refuse a file whose averaged weights can't be read (a list without names, a whole model), even if others can.

    Raises:
        FormatError: it has such weights.
    """
    for name, value in wrapper.items() if not averaged else ():
        has_weights = _count_tensors(value) or (isinstance(value, Inert) and isinstance(value.state, Mapping))
        if name in AVERAGED_ENTRIES and has_weights:
            raise FormatError(
                f"{path}: its averaged weights, the entry {name}, are no state_dict, and are as a rule those that are "
                "meant; save the state_dict of one network alone"
            )


def _state_dicts(wrapper: Mapping[object, object]) -> dict[str, Mapping[str, Stateful]]:
    """{entry: state_dict} of a wrapper's entries, and of the mappings in them.

    An entry of an unknown name counts only if it holds a convolution's kernel: a loss has weights, too.
    """
    state_dicts = {}
    for name, value in wrapper.items():
        inner = value.items() if isinstance(value, Mapping) and not _is_state_dict(value) else ()
        for path, item in ((str(name), value), *((f"{name}.{key}", item) for key, item in inner)):
            known = path in (*AVERAGED_ENTRIES, *STATE_DICT_ENTRIES)
            if _is_state_dict(item) and (known or any(len(_sides(part)) == 4 for part in item.values())):
                state_dicts[path] = item
    return state_dicts


def _no_state_dict(content: object) -> str:
    """What a file without a state_dict holds instead, and what to do."""
    values = {"": content, **content} if isinstance(content, Mapping) else {"": content}
    for value in values.values():
        if type(value) is Inert and isinstance(value.state, dict) and "_modules" in value.state:
            return f"{RefusedClass(value.name)}; {ASK}"
    names = ", ".join((*AVERAGED_ENTRIES[:2], *STATE_DICT_ENTRIES))
    odd = [str(name) for name, value in values.items() if name and not isinstance(value, (Deferred, Array))]
    if 0 < len(odd) < len(values) - 1:
        return f"expected a state_dict; it has tensors, and beside them {', '.join(odd[:8])}, which are none"
    value_kind = "one tensor" if isinstance(content, Deferred) else f"a {type(content).__name__}"
    contents = f"the entries {', '.join(odd[:8])}" if odd else value_kind
    return f"expected a state_dict, alone or as one of {names}; found {contents}"


def _sides(item: Stateful) -> tuple[int, ...]:
    if isinstance(item, Deferred):
        return item.size
    shape = item.state[1] if isinstance(item.state, tuple) and len(item.state) > 1 else ()
    return shape if isinstance(shape, tuple) else ()


def _is_state_dict(value: object) -> TypeGuard[Mapping[str, Stateful]]:
    """Whether this is {name: tensor or numpy array} and nothing else (torch's ``_metadata`` is an attribute)."""
    return (
        isinstance(value, Mapping)
        and len(value) > 0
        and all(isinstance(name, str) and isinstance(item, (Deferred, Array)) for name, item in value.items())
    )


def _count_tensors(value: object) -> int:
    """Tensors in nested mappings and sequences; a loop, for a file may nest deeper than Python recurses."""
    count, todo, counted = 0, [value], set()
    while todo:
        item = todo.pop()
        if id(item) in counted:
            continue
        counted.add(id(item))
        if isinstance(item, (Deferred, Array, Tensor)):
            count += 1
        elif isinstance(item, Mapping):
            todo.extend(item.values())
        elif isinstance(item, (list, tuple)):
            todo.extend(item)
    return count
