"""Files of a training's state: written whole beside the former one, with a checksum, and read without running code.

A state file is a safetensors file of the run's tensors; its header has all other values as JSON, and their checksum.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from densezoo.errors import TrainingError
from densezoo.files import replacing
from densezoo.types import JsonObject

_KEY = "densezoo-training"  # the one key of the header's metadata (several are written in an order that changes)
_NAME = re.compile(r"step_(\d{8,})\.state")
BEST = "best.safetensors"  # the weights that no evaluation has surpassed
SPARE = 1 << 20  # bytes beside the tensors: header, logs


@dataclass(frozen=True)
class State:
    """All that a run needs to go on.

    Args:
        tensors: {name: tensor}.
        values: {name: JSON value} of the rest.
    """

    tensors: Mapping[str, Tensor]
    values: JsonObject

    @property
    def size(self) -> int:
        """Bytes of its file, nearly."""
        return sum(tensor.numel() * tensor.element_size() for tensor in self.tensors.values()) + SPARE


def state_path(folder: Path, step: int) -> Path:
    """The file of the state after so many optimiser steps.

    Args:
        folder: of the run.
        step: optimiser steps done.
    """
    return folder / f"step_{step:08d}.state"


def state_files(folder: Path) -> dict[int, Path]:
    """{optimiser steps done: file}, the last state last; whether a file is whole, only reading it tells.

    Args:
        folder: of the run; it need not exist.
    """
    paths = {int(name[1]): path for path in folder.glob("step_*.state") if (name := _NAME.fullmatch(path.name))}
    return dict(sorted(paths.items()))


def last_state(folder: Path) -> tuple[Path, State] | None:
    """The last state that is whole, and its file; None: there is none.

    Args:
        folder: of the run; it need not exist.

    Raises:
        TrainingError: a file can't be opened.
    """
    for path in reversed(state_files(folder).values()):
        state = read_state(path)
        if state is not None:
            return path, state
    return None


def kept(folder: Path) -> str:
    """What the last whole state of a folder is of, as part of a message; "": there is none.

    Args:
        folder: of the run.
    """
    last = last_state(folder)
    if last is None:
        return ""
    progress = last[1].values["progress"]
    return f"step {progress['step']:,}, after {progress['epochs']} whole epochs, is kept in {folder}"


def write_state(folder: Path, step: int, state: State, keep: int) -> Path:
    """Write a state, wait until it is on the disk, and then remove the older ones but ``keep - 1``; return its file.

    Those of later steps go, too: a run goes on from its last whole state, so they are torn.

    Args:
        folder: of the run; it exists.
        step: optimiser steps done.
        state: after them.
        keep: states that stay, this one included.

    Raises:
        TrainingError: no room, or the folder can't be written; the former states stay.
    """
    path = state_path(folder, step)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.tensors.items()}
    text = json.dumps(state.values, sort_keys=True)
    metadata = {_KEY: f"{_checksum(tensors, text)} {text}"}
    check_room(folder, state.size)
    with replacing(path, lambda reason: _unwritten(path, reason), sync=True) as hidden:
        try:
            save_file(tensors, hidden, metadata)
        except SafetensorError as error:
            raise OSError(f"{error!s:.160}") from None
    _sync_folder(folder)
    files = state_files(folder)
    stay = [number for number in files if number <= step][-max(1, keep) :]
    for number in files.keys() - set(stay):
        files[number].unlink(missing_ok=True)
    return path


def check_room(folder: Path, size: int) -> None:
    """Refuse a disk that has no room.

    Args:
        folder: that is written to; it exists.
        size: bytes that are needed.

    Raises:
        TrainingError: there are fewer.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise TrainingError(
            f"{folder}: expected room for {size:,} bytes of the training's state, found {free:,}; what is there stays. "
            "Make room, then the same command with --resume goes on"
        )


def read_state(path: Path) -> State | None:
    """A state; None if the file is torn or damaged: its checksum doesn't fit.

    Args:
        path: the file.

    Raises:
        TrainingError: it can't be opened.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  not a mapping
    except SafetensorError:
        return None
    except OSError as error:
        raise TrainingError(f"{path}: can't be read ({error.strerror or error})") from None
    checksum, _, text = metadata.get(_KEY, "").partition(" ")
    return State(tensors, json.loads(text)) if checksum == _checksum(tensors, text) else None


def _checksum(tensors: Mapping[str, Tensor], text: str) -> str:
    """The sha256 of tensors, their names, types and shapes, and a text."""
    digest = hashlib.sha256(text.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"\0{name}\0{tensor.dtype}\0{tuple(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _unwritten(path: Path, reason: str) -> TrainingError:
    return TrainingError(
        f"{path}: can't be written ({reason}); the states before it stay. Make room or mend that, then the same "
        "command with --resume goes on"
    )


def _sync_folder(folder: Path) -> None:
    """Wait until the folder's new names are on the disk, before an older state is removed."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def tensors_apart(values: object, name: str, tensors: dict[str, Tensor]) -> object:
    """Values with each tensor replaced by {"tensor": its name}; mappings become lists of pairs, to keep their keys.

    Args:
        values: mappings, sequences, tensors and JSON values.
        name: of the values, which the tensors' names begin with.
        tensors: the tensors are added to it.
    """
    if isinstance(values, Tensor):
        tensors[name] = values
        return {"tensor": name}
    if isinstance(values, Mapping):
        return {"pairs": [[key, tensors_apart(value, f"{name}.{key}", tensors)] for key, value in values.items()]}
    if isinstance(values, Sequence) and not isinstance(values, str):
        return [tensors_apart(value, f"{name}.{i}", tensors) for i, value in enumerate(values)]
    return values


def tensors_together(values: Any, tensors: Mapping[str, Tensor]) -> Any:
    """What `tensors_apart` took apart.

    Args:
        values: its result.
        tensors: those that it added.
    """
    if isinstance(values, dict):
        if "tensor" in values:
            return tensors[values["tensor"]]
        return {key: tensors_together(value, tensors) for key, value in values["pairs"]}
    if isinstance(values, list):
        return [tensors_together(value, tensors) for value in values]
    return values
