"""Images in shards: Hugging Face's parquet files, and WebDataset tars."""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from densezoo.data.images import ImageSet, Listed, stat_signature
from densezoo.data.labels import IMAGE_ENDINGS, SPLIT_FOLDERS, ClassNames, label_of
from densezoo.data.layouts.folder import TarImages, TarListing, list_tar
from densezoo.errors import DatasetError, ImageError, MissingDependencyError

_READING = threading.Lock()  # so that threads which come to the same row group don't each decompress it
_row_groups: OrderedDict[tuple[object, ...], Any] = OrderedDict()  # those in memory, the last one used last
SHUFFLED_BYTES = 1 << 28  # of row groups in the memory of each process that reads images in a shuffled order
_LABEL_COLUMNS = ("label", "fine_label", "labels")  # fine_label: CIFAR-100's classes, beside its 20 superclasses


@dataclass(frozen=True)
class ParquetImages(ImageSet):
    """Rows of parquet files.

    Args:
        column: of the images.
        rows: (file, row group, row in it) of each image.
        listed: the files' state when their rows were listed.
        group_bytes: of the largest row group's images in memory.
        groups_kept: row groups that stay in memory.
    """

    column: str
    rows: Sequence[tuple[str, int, int]]
    listed: Listed
    group_bytes: int
    groups_kept: int = 2

    @property
    def archives(self) -> Listed:
        return self.listed

    @property
    def random_access(self) -> bool:
        return False  # a row group is decompressed whole

    def group_of(self, index: int) -> object:
        return self.rows[index][:2]

    def for_shuffling(self) -> ImageSet:
        return replace(self, groups_kept=max(2, SHUFFLED_BYTES // max(1, self.group_bytes)))

    def read(self, index: int) -> bytes:
        file, group, row = self.rows[index]
        try:
            with _READING:
                images = _row_group(file, stat_signature(file), group, self.column, self.groups_kept)
            content = images[row]["bytes"].as_py()
        except (OSError, ValueError, IndexError) as error:  # pyarrow's own errors are OSErrors and ValueErrors
            raise ImageError(f"{self.location_of(index)}: can't be read ({error})") from None
        if not isinstance(content, bytes):
            raise ImageError(f"{file}, row group {group}, row {row}: holds only an image's path; expected its bytes")
        return content

    def location_of(self, index: int) -> str:
        file, group, row = self.rows[index]
        return f"{file}, row group {group}, row {row} ({self.ids[index]})"

    def source(self, index: int) -> tuple[object, ...]:
        return (*self.rows[index], self.column)


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingDependencyError("a dataset in parquet files", "pyarrow", "parquet") from None
    return pyarrow.parquet


def _row_group(file: str, state: tuple[int, ...], group: int, column: str, kept: int) -> Any:
    """A column of a row group; a file that has changed has another state, and is read anew."""
    key = file, state, group, column
    if key not in _row_groups:
        _row_groups[key] = _read_row_group(file, group, column)
    _row_groups.move_to_end(key)
    while len(_row_groups) > kept:
        _row_groups.popitem(last=False)
    return _row_groups[key]


def _read_row_group(file: str, group: int, column: str) -> Any:
    return _parquet().ParquetFile(file).read_row_group(group, columns=[column], use_threads=False).column(column)


def shard_files(root: Path, ending: str, split: str) -> list[Path]:
    """The shards of a split in ``root`` or ``root/data``: ``validation-00000-of-00014.parquet``, ``x-train-01.tar``.

    If no shard's name has a split, all shards belong to the set.

    Args:
        root: the folder.
        ending: of the files, such as ``.tar``.
        split: "train" or "test".

    Raises:
        DatasetError: there are shards of other splits only.
    """
    files = sorted(root.glob(f"*{ending}")) or sorted(root.glob(f"data/*{ending}"))
    words = {file: file.name.removesuffix(ending).replace("_", "-").split("-") for file in files}
    splits = {name for names in SPLIT_FOLDERS.values() for name in names}
    if not any(splits & set(words[file]) for file in files):
        return files
    for name in ("validation", *SPLIT_FOLDERS[split]) if split == "test" else SPLIT_FOLDERS[split]:
        if chosen := [file for file in files if name in words[file]]:
            return chosen
    raise DatasetError(
        f"{root}: expected shards of {' or '.join(SPLIT_FOLDERS[split])}, found {files[0].name} ... {files[-1].name}"
    )


def parquet_images(root: Path, split: str, class_names: ClassNames | None) -> ParquetImages:
    """The images of parquet shards with a column of {bytes, path} and one of labels, as Hugging Face writes them.

    Args:
        root: a folder of shards, or one shard.
        split: "train" or "test".
        class_names: in label order, or {class: label}: an image's id begins with its class's; None: with none.

    Raises:
        MissingDependencyError: no pyarrow.
        DatasetError: a broken shard, other columns.
    """
    names = {label: f"{name}/" for name, label in label_of(class_names).items()}
    ids: list[str] = []
    labels: list[int] = []
    rows: list[tuple[str, int, int]] = []
    column, listed, group_bytes = "", {}, 0
    for file in [root] if root.is_file() else shard_files(root, ".parquet", split):
        listed[str(file)] = stat_signature(file)
        column, label_column = _columns(file)
        group_bytes = max(group_bytes, _largest_group(file))
        for group, row, path, label in _rows(file, column, label_column):
            number = len(ids)
            ids.append(names.get(label, "") + (PurePosixPath(path).name if path else f"{number:08d}"))
            labels.append(label)
            rows.append((str(file), group, row))
    if not ids:
        raise DatasetError(f"{root}: holds no image; expected parquet files with one image in each row")
    return ParquetImages(str(root), ids, labels, column, rows, listed, group_bytes)


def _largest_group(file: Path) -> int:
    """The bytes of the largest row group, decompressed."""
    metadata = _parquet().ParquetFile(file).metadata
    return max((metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)), default=0)


def _columns(file: Path) -> tuple[str, str]:
    parquet = _parquet()
    import pyarrow

    try:
        schema = parquet.ParquetFile(file).schema_arrow
    except (OSError, pyarrow.ArrowException) as error:
        raise DatasetError(f"{file}: no parquet file ({error}); fetch it anew") from None
    images = [f.name for f in schema if pyarrow.types.is_struct(f.type) and f.type.get_field_index("bytes") >= 0]
    labels = [name for name in _LABEL_COLUMNS if name in schema.names]
    if len(images) != 1 or not labels:
        raise DatasetError(
            f"{file}: expected one column of images (bytes, path) and one of {', '.join(_LABEL_COLUMNS)}; "
            f"found {', '.join(schema.names)}"
        )
    return images[0], labels[0]


def _rows(file: Path, column: str, label_column: str) -> Iterator[tuple[int, int, str | None, int]]:
    """(row group, row, path, label) of every image; the images' bytes, most of the file, are not read."""
    shard = _parquet().ParquetFile(file)
    for group in range(shard.num_row_groups):
        table = shard.read_row_group(group, columns=[f"{column}.path", label_column])
        labels = table.column(label_column).to_pylist()
        paths: list[str | None] = [None] * len(labels)
        if column in table.column_names:
            paths = [image["path"] for image in table.column(column).to_pylist()]
        for row, (path, label) in enumerate(zip(paths, labels)):
            try:
                yield group, row, path, int(label)
            except (TypeError, ValueError):
                location = f"{file}, row group {group}, row {row}"
                raise DatasetError(f"{location}: the label is {label!r}; expected a whole number") from None


def is_webdataset(tar: TarListing) -> bool:
    """Whether the files of a tar are images with their labels beside them: ``key.jpg``, ``key.cls``.

    Args:
        tar: its files.
    """
    files = [os.path.splitext(member.name) for member in tar.members]
    labels = {key for key, ending in files if ending in (".cls", ".json")}
    return any(ending.lower() in IMAGE_ENDINGS and key in labels for key, ending in files)


def webdataset_images(root: Path, split: str, class_names: ClassNames | None) -> TarImages:
    """The images of WebDataset tars: the members of one key are one sample, with its label in ``.cls`` or ``.json``.

    Args:
        root: a folder of shards, or one shard.
        split: "train" or "test".
        class_names: in label order, or {class: label}: an image's id begins with its class's; None: with none.

    Raises:
        DatasetError: a broken tar, an image without a label.
    """
    names = {label: f"{name}/" for name, label in label_of(class_names).items()}
    ids, labels, spans, listed = [], [], [], {}
    for shard in [root] if root.is_file() else shard_files(root, ".tar", split):
        tar = list_tar(shard)
        listed[str(shard)] = tar.signature
        samples: dict[str, dict[str, tuple[int, int]]] = {}
        for member in tar.members:
            folder, _, name = member.name.rpartition("/")
            key, _, ending = name.partition(".")
            samples.setdefault(f"{folder}/{key}", {})[f".{ending}".lower()] = (member.offset_data, member.size)
        with open(shard, "rb") as file:
            for key, parts in samples.items():
                for ending in sorted(set(parts) & set(IMAGE_ENDINGS)):
                    label = _sample_label(file, parts, f"{shard}: {key}")
                    ids.append(names.get(label, "") + key.rpartition("/")[2] + ending)
                    labels.append(label)
                    spans.append((str(shard), *parts[ending]))
    if not ids:
        raise DatasetError(f"{root}: no images found; expected WebDataset tars of key.jpg with key.cls or key.json")
    return TarImages(str(root), ids, labels, spans, listed)


def _sample_label(file: Any, parts: dict[str, tuple[int, int]], location: str) -> int:
    ending = ".cls" if ".cls" in parts else ".json"
    try:
        offset, size = parts[ending]
        file.seek(offset)
        content = file.read(size)
        return int(content) if ending == ".cls" else int(json.loads(content)["label"])
    except (KeyError, ValueError, TypeError) as error:
        raise DatasetError(f'{location}: expected its label in a .cls or in a .json\'s "label" ({error!r})') from None
