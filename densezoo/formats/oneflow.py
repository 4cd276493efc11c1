"""OneFlow's folders of weights in a zip archive, as flowvision publishes them: ``<name>/out`` and ``<name>/meta``.

Format: python/oneflow/framework/check_point_v2.py (_save_tensor_to_disk); meta is a text, ``shape { dim: 64 }
data_type: kFloat``.
"""

from __future__ import annotations

import re

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import to_tensor
from densezoo.formats.containers.zip import Archive
from densezoo.types import Checkpoint

DONE = "snapshot_done"  # an empty file that says that all was written
_DTYPES = {"kFloat": "<f4", "kDouble": "<f8", "kFloat16": "<f2", "kInt32": "<i4", "kInt64": "<i8", "kInt8": "i1"}
_META = re.compile(r"(\s*shape\s*\{(?P<dims>(\s*dim:\s*\d{1,9})*)\s*\})?\s*data_type:\s*(?P<kind>\w+)\s*")
MAX_META = 4096  # bytes


def read_oneflow(archive: Archive, root: str) -> Checkpoint:
    """Every tensor of the archive, under the name of its folder.

    Args:
        archive: the zip archive.
        root: the folder in it that everything lies in, with a "/" at its end; "" of none.

    Raises:
        FormatError: broken or truncated; a tensor without its shape, or of no numbers.
    """
    folders = [name.removesuffix("/out") for name in archive.members if name.startswith(root) and name.endswith("/out")]
    tensors = {folder.removeprefix(root): _tensor(archive, folder) for folder in folders}
    return Checkpoint(str(archive.path), "oneflow", tensors)


def _tensor(archive: Archive, folder: str) -> Tensor:
    where = f"{archive.path}: {folder}"
    meta = archive.read(f"{folder}/meta")
    text = bytes(meta.read()).decode("latin1") if len(meta) <= MAX_META else ""
    told = _META.fullmatch(text)
    dtype = _DTYPES.get(told["kind"]) if told else None
    if told is None or dtype is None:
        raise FormatError(f"{where}: expected a shape and a data_type of numbers; found {text[:80]!r}")
    shape = [int(side) for side in re.findall(r"\d+", told["dims"] or "")]
    return to_tensor(archive.read(f"{folder}/out"), dtype, shape, where)
