"""HDF5 files: Keras's in each layout that the HDF5 library writes, through h5py; others written field by field."""

from __future__ import annotations

import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from densezoo.formats.binary import in_memory
from densezoo.formats.keras.hdf5.datasets import read_tensor
from densezoo.formats.keras.hdf5.file import MAGIC, File

#: (libver, track_order): superblock 0, 2 or 3; object headers and indexes old and new.
LAYOUTS = [(libver, order) for libver in (None, "earliest", "v108", "v110", "latest") for order in (False, True)]
CONFIG = json.dumps({"config": {"layers": []}})
STORAGES: list[dict[str, Any]] = [
    {},
    {"chunks": (2, 2)},
    {"chunks": (2, 2), "compression": "gzip", "shuffle": True, "fletcher32": True},
    {"chunks": (3, 5), "compression": "gzip"},
]


def write_model(path: Path, libver: str | None, track_order: bool, layers: int, config: str = CONFIG) -> None:
    """A Keras ``.h5`` file; layer ``i`` has a kernel of 3 x 5 numbers from ``i`` on, stored in one of many ways."""
    import h5py

    with h5py.File(path, "w", libver=libver, track_order=track_order) as file:
        names = [f"dense_{i}" for i in range(layers)]
        file.attrs["layer_names"] = np.array([name.encode() for name in names])
        file.attrs["model_config"] = config
        for i in range(12):  # more than a header may have
            file.attrs[f"fact{i}"] = f"value {i}"
        for i, name in enumerate(names):
            group = file.create_group(name, track_order=track_order)
            group.attrs["weight_names"] = np.array([b"kernel:0"])
            values = np.arange(i, i + 15).reshape(3, 5).astype(("<f4", ">f8", "<f2", "<i4")[i % 4])
            group.create_dataset("kernel:0", data=values, track_order=track_order, **STORAGES[i // 4 % 4])


def rewrite(source: Path, target: Path, libver: str | None, track_order: bool, **storage: Any) -> None:
    """The same groups, attributes and numbers in another layout."""
    import h5py

    with h5py.File(source) as old, h5py.File(target, "w", libver=libver, track_order=track_order) as new:
        new.attrs.update(old.attrs)

        def copy(name: str, stored: Any) -> None:
            if isinstance(stored, h5py.Group):
                made = new.create_group(name, track_order=track_order)
            else:
                made = new.create_dataset(name, data=stored[()], track_order=track_order, **storage)
            made.attrs.update(stored.attrs)

        old.visititems(copy)


def open_file(path: Path) -> File:
    """The file as densezoo reads it."""
    return File(in_memory(path, io.BytesIO(path.read_bytes())))


def values(file: File, name: str) -> list[Any]:
    """The numbers of the dataset at this path of the file, as nested lists."""
    return list(read_tensor(file, file.find(file.root, name), name).tolist())


def message(kind: int, content: bytes) -> bytes:
    """A message of an object header of version 2."""
    return struct.pack("<BHB", kind, len(content), 0) + content


def header(*messages: bytes) -> bytes:
    """Version 2, without a checksum that is right: it isn't looked at."""
    content = b"".join(messages)
    return b"OHDR\x02\x02" + struct.pack("<I", len(content)) + content + bytes(4)


def new_file(*objects: bytes) -> bytes:
    """A superblock of version 3, then objects at bytes 48, ... of which the first is the root group."""
    content = b"".join(objects)
    return MAGIC + struct.pack("<BBBBQQQQ", 3, 8, 8, 0, 0, (1 << 64) - 1, 48 + len(content), 48) + bytes(4) + content


def link(name: bytes, address: int) -> bytes:
    """A link message: a group's member and the address of its header."""
    return message(6, b"\x01\x00" + bytes([len(name)]) + name + struct.pack("<Q", address))


def info(kind: int, heap: int, tree: int) -> bytes:
    """A message that leads to dense links (kind 2) or attributes (kind 21)."""
    return message(kind, b"\x00\x00" + struct.pack("<QQ", heap, tree))
