"""Parquet files as Hugging Face writes them, and WebDataset tars."""

from __future__ import annotations

import builtins
import json
import time
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
from small_imagenet import EXPECTED, IMAGES, LABELS, NAMES, class_folders, facts, tarred, write

from densezoo.data.datasets import open_dataset
from densezoo.data.layouts import shards
from densezoo.errors import DatasetError, ImageError, MissingDependencyError
from densezoo.threads import in_order

PNGS = [name.replace("JPEG", "png") for name in NAMES]


def parquet(path: Path, rows: slice, label: str = "label", image: str = "image", paths: bool = True) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": data, "path": name if paths else None} for data, name in zip(IMAGES[rows], NAMES[rows])]
    kind = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
    table = pyarrow.table({image: pyarrow.array(images, kind), label: pyarrow.array(LABELS[rows], pyarrow.int64())})
    pyarrow.parquet.write_table(table, path, row_group_size=2)
    return path


@pytest.mark.parametrize("folder", ["", "data"])
def test_parquet_shards_of_one_split(tmp_path: Path, folder: str) -> None:
    parquet(tmp_path / folder / "validation-00000-of-00002-aa.parquet", slice(0, 3))
    parquet(tmp_path / folder / "validation-00001-of-00002-bb.parquet", slice(3, 5))
    parquet(tmp_path / folder / "train-00000-of-00001-cc.parquet", slice(0, 1))
    parquet(tmp_path / folder / "test-00000-of-00001-dd.parquet", slice(0, 1))  # ImageNet's has no labels
    images = open_dataset("imagenet1k", tmp_path)
    assert sorted(facts(images)) == EXPECTED
    assert list(images.labels) == LABELS
    assert "validation-00001-of-00002-bb.parquet, row group 0, row 1" in images.location_of(4)
    assert len(open_dataset("imagenet1k", tmp_path, "train")) == 1
    before = images.fingerprint()
    assert before == open_dataset("imagenet1k", tmp_path).fingerprint()


def test_one_parquet_file_and_cifar_100_s_columns(tmp_path: Path) -> None:
    path = parquet(tmp_path / "test-00000-of-00001.parquet", slice(1, 4), "fine_label", "img", paths=False)
    images = open_dataset("cifar100", path)
    assert facts(images) == [(f"{i:08d}", label, data) for i, (label, data) in enumerate(zip([0, 2, 0], IMAGES[1:4]))]


def test_threads_read_each_row_group_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_dataset("imagenet1k", parquet(tmp_path / "test-00000-of-00001.parquet", slice(0, 5)))
    images = images.for_shuffling()  # all groups stay: a thread may come when two others have been read since
    expected = [images.read(i) for i in range(5)]
    read: list[tuple[object, ...]] = []
    shards._row_groups.clear()
    whole = shards._read_row_group

    def noted(*arguments: Any) -> object:
        read.append(arguments)
        time.sleep(0.05)  # so that all threads come meanwhile
        return whole(*arguments)

    monkeypatch.setattr(shards, "_read_row_group", noted)
    assert list(in_order(images.read, lambda content: content, 5, 4)) == expected
    assert len(read) == len(set(read)) == 3


def test_the_row_groups_that_were_used_last_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    images = open_dataset("imagenet1k", parquet(tmp_path / "test-00000-of-00001.parquet", slice(0, 5)))
    assert images.groups_kept == 2
    assert [images.group_of(i) == images.group_of(0) for i in range(5)] == [True, True, False, False, False]
    whole, read = shards._read_row_group, list[int]()

    def noted(file: str, group: int, column: str) -> object:
        read.append(group)
        return whole(file, group, column)

    monkeypatch.setattr(shards, "_read_row_group", noted)
    shards._row_groups.clear()
    assert [images.read(i) for i in (0, 2, 1, 4, 0, 2)] == [IMAGES[i] for i in (0, 2, 1, 4, 0, 2)]
    assert read == [0, 1, 2, 1]


def test_as_many_row_groups_stay_for_shuffling_as_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "test-00000-of-00002.parquet", slice(0, 4))
    parquet(tmp_path / "test-00001-of-00002.parquet", slice(4, 5))  # a group of half the size
    size = shards._largest_group(tmp_path / "test-00000-of-00002.parquet")
    images = open_dataset("imagenet1k", tmp_path)
    for room, kept in ((4 * size, 4), (5 * size - 1, 4), (size, 2)):
        monkeypatch.setattr(shards, "SHUFFLED_BYTES", room)
        assert images.for_shuffling().groups_kept == kept


def test_a_file_that_has_changed_is_read_anew(tmp_path: Path) -> None:
    path = parquet(tmp_path / "test-00000-of-00001.parquet", slice(0, 2))
    images = open_dataset("imagenet1k", path)
    assert images.read(0) == IMAGES[0]
    parquet(path, slice(2, 4))
    assert images.read(0) == IMAGES[2]


def test_parquet_that_is_none_or_another(tmp_path: Path) -> None:
    write(tmp_path / "val.parquet", b"PAR1")
    with pytest.raises(DatasetError, match=r"val\.parquet: no parquet file"):
        open_dataset("imagenet1k", tmp_path)
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x"]}), tmp_path / "val.parquet")
    with pytest.raises(DatasetError, match=r"expected one column of images \(bytes, path\).*found text"):
        open_dataset("imagenet1k", tmp_path)
    parquet(tmp_path / "val.parquet", slice(0, 5))
    with pytest.raises(DatasetError, match=r"row group 0, row 0 .* label 999 is out of range"):
        open_dataset("cifar10", tmp_path)
    with pytest.raises(DatasetError, match=r"expected shards of train, found val\.parquet"):
        open_dataset("imagenet1k", tmp_path, "train")


def test_a_row_without_its_image(tmp_path: Path) -> None:
    table = pyarrow.table(
        {"image": pyarrow.array([{"bytes": None, "path": "x"}], pyarrow.struct({"bytes": "binary", "path": "string"})),
         "label": [3]}
    )  # fmt: skip
    pyarrow.parquet.write_table(table, tmp_path / "val.parquet")
    with pytest.raises(ImageError, match="holds only an image's path"):
        open_dataset("imagenet1k", tmp_path).read(0)


def test_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parquet(tmp_path / "val.parquet", slice(0, 5))
    real = builtins.__import__

    def no_pyarrow(name: str, *args: object, **kwargs: object) -> object:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", no_pyarrow)
    with pytest.raises(MissingDependencyError, match="pip install pyarrow, or"):
        open_dataset("imagenet1k", tmp_path)


def samples(rows: slice, kind: str) -> dict[str, bytes]:
    members = {}
    for name, content, label in zip(PNGS[rows], IMAGES[rows], LABELS[rows]):
        members[name] = content
        text = str(label) if kind == "cls" else json.dumps({"label": label, "width": 9})
        members[name.replace("png", kind)] = text.encode()
    return members


@pytest.mark.parametrize("kind", ["cls", "json"])
def test_webdataset_tars(tmp_path: Path, kind: str) -> None:
    first = tarred(tmp_path / "imagenet1k-validation-00.tar", samples(slice(0, 3), kind))
    tarred(tmp_path / "imagenet1k-validation-01.tar", samples(slice(3, 5), kind))
    tarred(tmp_path / "imagenet1k-train-00.tar", samples(slice(0, 1), kind))
    images = open_dataset("imagenet1k", tmp_path)
    assert sorted(facts(images)) == [(name.replace("JPEG", "png"), *rest) for name, *rest in EXPECTED]
    assert facts(open_dataset("imagenet1k", first)) == facts(images)[:3]
    assert len(open_dataset("imagenet1k", tmp_path, "train")) == 1


@pytest.mark.parametrize("label", [b"seven", b""])
def test_a_sample_without_a_label(tmp_path: Path, label: bytes) -> None:
    tarred(tmp_path / "val-0.tar", {"a.png": IMAGES[0], "a.cls": b"1", "b.png": IMAGES[1], "b.cls": label})
    with pytest.raises(DatasetError, match=r"val-0\.tar: /b: expected its label in a \.cls"):
        open_dataset("imagenet1k", tmp_path)
    tarred(tmp_path / "val-0.tar", {"a.png": IMAGES[0], "a.cls": b"1", "b.png": IMAGES[1]})
    with pytest.raises(DatasetError, match=r"/b: expected its label"):
        open_dataset("imagenet1k", tmp_path)


def test_a_tar_beside_its_unpacked_folders_is_left_alone(tmp_path: Path) -> None:
    tarred(tmp_path / "ILSVRC2012_img_val.tar", dict(zip(NAMES, IMAGES)))
    class_folders(tmp_path / "val")
    assert facts(open_dataset("imagenet1k", tmp_path)) == EXPECTED


@pytest.mark.parametrize(("labels", "message"), [([], "holds no image"), ([None], "row 0: the label is None")])
def test_parquet_without_images_or_labels(tmp_path: Path, labels: list[object], message: str) -> None:
    columns = {"image": pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])}
    schema = pyarrow.schema({**columns, "label": pyarrow.int64()})
    rows = [{"image": {"bytes": IMAGES[0], "path": None}, "label": label} for label in labels]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows, schema), tmp_path / "a.parquet")
    with pytest.raises(DatasetError, match=message):
        open_dataset("imagenet1k", tmp_path / "a.parquet")
