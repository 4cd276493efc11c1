"""path -> `Checkpoint`, by the file's contents; its name and extension are not used."""

from __future__ import annotations

import dataclasses
import functools
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from densezoo.errors import FormatError, some
from densezoo.formats.binary import Bytes, check_expansion, cut, in_memory, open_file
from densezoo.formats.caffe.model import looks_like_caffe, read_caffe
from densezoo.formats.caffe2 import looks_like_caffe2, read_caffe2
from densezoo.formats.containers.npz import read_npz
from densezoo.formats.containers.packed import gunzip, tar_members
from densezoo.formats.containers.zip import Archive
from densezoo.formats.identity import foreign, foreign_folder, impostor
from densezoo.formats.keras.hdf5.file import MAGIC
from densezoo.formats.keras.weights import read_h5, read_keras
from densezoo.formats.limits import MAX_NAMES, MAX_TENSORS
from densezoo.formats.mindspore import looks_like_mindspore, read_mindspore
from densezoo.formats.mxnet import LIST_MAGIC, read_mxnet
from densezoo.formats.oneflow import DONE, read_oneflow
from densezoo.formats.onnx.model import looks_like_onnx, read_onnx
from densezoo.formats.paddle import read_paddle
from densezoo.formats.safetensors import fits_safetensors, looks_like_safetensors, read_safetensors
from densezoo.formats.tensorflow import INDEX, SHARD, join_bundle, looks_like_bundle, read_bundle, shard_beside
from densezoo.formats.torch.export import read_torchexport
from densezoo.formats.torch.files import LEGACY_MAGIC, read_legacy, read_zip
from densezoo.formats.torch.script import read_torchscript
from densezoo.formats.torch7.network import read_torch7
from densezoo.formats.torch7.objects import looks_like_torch7
from densezoo.types import Checkpoint

HEAD_BYTES = 512  # enough for every signature below
MAX_DEPTH = 2  # archives in each other: .tar.gz
NO_FILES = r".*/|__MACOSX/.*|(.*/)?\.DS_Store"  # members that are none: folders, and what macOS adds

#: (ends of the names of members that an archive must have in one folder, its reader), tried in this order.
ARCHIVES: list[tuple[tuple[str, ...], Callable[[Archive, str], Checkpoint]]] = [
    (("/data.pkl", "/constants.pkl"), read_torchscript),
    (("/data.pkl",), read_zip),
    (("/models/model.json", "/data/weights/model_weights_config.json"), read_torchexport),
    (("model.weights.h5", "config.json"), read_keras),
    ((DONE,), read_oneflow),
    ((".npy",), read_npz),
]


def read_archive(data: Bytes) -> Checkpoint:
    """Read a checkpoint that is a zip archive, or the only file of one.

    Args:
        data: the whole archive.

    Raises:
        FormatError: broken or truncated, or an archive of something else, or in an archive itself.
    """
    archive = Archive(data)
    for ends, reader in ARCHIVES:
        for name in archive.members:
            root = name.removesuffix(ends[0])
            if root != name and all(root + end in archive.members for end in ends):
                return reader(archive, root)
    expected = "data.pkl (PyTorch), model.weights.h5 (Keras), .npy (NumPy) members or one checkpoint alone"
    return _read_only_file(data, {name: functools.partial(archive.read, name) for name in archive.members}, expected)


def read_gzip(data: Bytes) -> Checkpoint:
    """A checkpoint that is packed by gzip.

    Raises:
        FormatError: broken or truncated; of no known format; packed again and again.
    """
    if data.opened.depth >= MAX_DEPTH:
        raise FormatError(f"{data.path}: packed more than {MAX_DEPTH} times; unpack it")
    return _read(gunzip(data))


def read_tar(data: Bytes) -> Checkpoint:
    """A checkpoint that is the only file of a tar archive.

    Raises:
        FormatError: broken or truncated; several files, or none; of no known format.
    """
    parts = tar_members(data)
    for name in (name for name in parts if name.endswith(INDEX)):
        numbers = parts.get(name.removesuffix(INDEX) + SHARD)
        if numbers is not None:  # a checkpoint of TensorFlow's has several files
            checkpoint = join_bundle(parts[name], numbers)
            return dataclasses.replace(checkpoint, hints=(f"read: {name} in the archive",))
    members = {name: functools.partial(_itself, part) for name, part in parts.items()}
    return _read_only_file(data, members, "one checkpoint alone")


def _itself(part: Bytes) -> Bytes:
    return part


def _read_only_file(data: Bytes, members: Mapping[str, Callable[[], Bytes]], expected: str) -> Checkpoint:
    """The checkpoint that is the only file of an archive, as osmr's and Gluon's are published.

    Args:
        data: the archive.
        members: {name in it: what gives its bytes}.
        expected: what the archive may hold, for messages.

    Raises:
        FormatError: several files, or none; an archive in an archive in an archive; the file in it can't be read.
    """
    path, files = data.path, [name for name in members if not re.fullmatch(NO_FILES, name)]
    if len(files) != 1 or data.opened.depth >= MAX_DEPTH:
        raise FormatError(
            f"{path}: an archive, but no checkpoint's: expected {expected}; "
            f"found {some(files, most=4)}; unpack it, and name the file that is meant"
        )
    whole = io.BytesIO(members[files[0]]().read())  # readers count from its first byte
    try:
        checkpoint = _read(in_memory(path, whole, data.opened.depth + 1))
    except FormatError as error:
        raise FormatError(str(error).replace(f"{path}: ", f"{path}: {files[0]}: ", 1)) from None
    return dataclasses.replace(checkpoint, hints=(*checkpoint.hints, f"read: {files[0]}, the archive's only file"))


#: (whether a file with this head and size is of the format, the format's reader), tried in this order.
READERS: list[tuple[Callable[[bytes, int], bool], Callable[[Bytes], Checkpoint]]] = [
    (lambda head, size: head.startswith(b"PK\x03\x04"), read_archive),
    (lambda head, size: head.startswith(b"\x1f\x8b"), read_gzip),
    (lambda head, size: head[257:262] == b"ustar", read_tar),
    (lambda head, size: head.startswith(LEGACY_MAGIC), read_legacy),  # torch.save before 1.6
    (fits_safetensors, read_safetensors),  # before pickles: a header of 128 bytes begins like one
    (lambda head, size: head[:1] == b"\x80", read_paddle),
    (lambda head, size: head.startswith(MAGIC), read_h5),
    (lambda head, size: head.startswith(LIST_MAGIC), read_mxnet),
    (looks_like_torch7, read_torch7),  # before looser signatures: a table of 123 entries has safetensors' "{"
    (looks_like_safetensors, read_safetensors),
    (looks_like_bundle, read_bundle),
    (looks_like_caffe2, read_caffe2),
    (looks_like_mindspore, read_mindspore),
    (looks_like_caffe, read_caffe),
    (looks_like_onnx, read_onnx),
]


def _check_names(path: Path, names: Sequence[str]) -> None:
    """Refuse more tensors, or longer names, than a checkpoint can need.

    Raises:
        FormatError: there are more, or they are longer.
    """
    length = sum(map(len, names))
    if len(names) > MAX_TENSORS or length > MAX_NAMES:
        raise FormatError(
            f"{path}: {len(names):,} tensors with names of {length:,} letters; expected at most {MAX_TENSORS:,} and "
            f"{MAX_NAMES:,} in a checkpoint"
        )


def read_checkpoint(path: str | Path, *, shapes_only: bool = False) -> Checkpoint:
    """Read the tensors of a checkpoint file, under the file's own names.

    Args:
        path: the file.
        shapes_only: leave tensors of over 4 KiB on the device "meta", without their numbers.

    Raises:
        FormatError: the file is missing, no regular file, empty, of no known format, broken, or can't be read without
            executing code.
        CheckpointError: a Torch7 file that doesn't hold exactly one network, or whose network is no sequence of layers.
    """
    path = Path(path)
    if os.path.isdir(path):  # pathlib's raises where a name is too long
        folder = foreign_folder(path)
        if folder is not None:
            raise FormatError(f"{path}: {folder}")
    with open_file(path, shapes_only) as data:
        return _read(data)


def _read(data: Bytes) -> Checkpoint:
    path, size = data.path, len(data)
    if size == 0:
        raise FormatError(f"{path}: the file is empty; fetch it anew")
    head = bytes(cut(data, 0, min(size, HEAD_BYTES), "its first bytes").read())
    for is_format, reader in READERS:
        if is_format(head, size):
            checkpoint = reader(data)
            _check_names(path, list(checkpoint.tensors))
            shard = shard_beside(path) if reader is read_bundle else None
            beside = os.path.getsize(shard) if shard is not None else 0
            check_expansion(str(path), list(checkpoint.tensors.values()), size + beside)
            return checkpoint
    other_format = foreign(head)
    if other_format:
        raise FormatError(f"{path}: this is {other_format}")
    no_checkpoint = impostor(head)
    if no_checkpoint:
        raise FormatError(f"{path}: this is {no_checkpoint}; fetch the checkpoint anew ({size:,} bytes)")
    raise FormatError(
        f"{path}: no checkpoint format that densezoo reads (starts with {head[:8]!r}, {size:,} bytes); "
        "expected a file of PyTorch, safetensors, Keras, Caffe, MXNet, MindSpore, Paddle, Torch7, NumPy or ONNX"
    )
