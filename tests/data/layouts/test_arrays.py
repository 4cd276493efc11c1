"""CIFAR in three packings, SVHN and scikit-learn's digits, written small."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision.datasets
from PIL import Image
from sklearn.datasets import load_digits
from small_imagenet import (
    write,
)
from unusual_images import noise

from densezoo.data.datasets import open_dataset
from densezoo.data.layouts import arrays
from densezoo.errors import DatasetError


@pytest.mark.parametrize(("name", "folder", "file", "extra"), [
    ("cifar10", "cifar-10-batches-bin", "test_batch.bin", 0), ("cifar100", "cifar-100-binary", "test.bin", 1),
])  # fmt: skip
def test_cifar_binary(tmp_path: Path, name: str, folder: str, file: str, extra: int) -> None:
    pixels = noise(32, 32 * 3, 3).reshape(3, 32, 32, 3)
    records = b"".join(
        bytes([7] * extra + [label]) + picture.transpose(2, 0, 1).tobytes() for label, picture in zip((3, 0, 9), pixels)
    )
    path = write(tmp_path / folder / file, records)
    for root in (tmp_path, tmp_path / folder):
        images = open_dataset(name, root)
        assert list(images.labels) == [3, 0, 9]
        assert all(np.array_equal(images.read(i), pixels[i]) for i in range(3))
    path.write_bytes(records[:-1])
    with pytest.raises(DatasetError, match=r"expected records of 3,07\d bytes, found 9,2\d\d bytes: truncated"):
        open_dataset(name, tmp_path)
    with pytest.raises(DatasetError, match=r"can't be read \(No such file"):
        open_dataset(name, tmp_path, "train")


def test_cifar_10_1(tmp_path: Path) -> None:
    pixels = {"v4": noise(32, 96, seed=1).reshape(3, 32, 32, 3), "v6": noise(32, 64).reshape(2, 32, 32, 3)}
    for version, labels in (("v4", [1, 2, 3]), ("v6", [9, 0])):
        np.save(tmp_path / f"cifar10.1_{version}_data.npy", pixels[version])
        np.save(tmp_path / f"cifar10.1_{version}_labels.npy", np.array(labels, np.int32))
        images = open_dataset("cifar10.1", tmp_path)
        assert (list(images.labels), images.ids[0]) == (labels, f"{version}/00000")
        assert np.array_equal(images.read(1), pixels[version][1])
    np.save(tmp_path / "cifar10.1_v6_labels.npy", np.array([1, 2, 3]))
    with pytest.raises(DatasetError, match=r"expected uint8 \(3, 32, 32, 3\).*found uint8 \(2, 32, 32, 3\)"):
        open_dataset("cifar10.1", tmp_path)
    np.save(tmp_path / "cifar10.1_v6_labels.npy", np.array([object()]), allow_pickle=True)
    with pytest.raises(DatasetError, match="allow_pickle=False"):
        open_dataset("cifar10.1", tmp_path)


def test_digits_are_the_two_halves_of_scikit_learn_s() -> None:
    data = load_digits()
    train, test = (open_dataset("digits", None, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (898, 899)
    assert [*train.labels, *test.labels] == data.target.tolist()
    assert not set(train.ids) & set(test.ids)
    pixels = np.stack([np.asarray(test.read(i)) for i in range(len(test))])
    assert np.array_equal(pixels, np.rint(data.images[898:] * 255 / 16))
    assert test.fingerprint() != train.fingerprint()


def test_digits_are_read_without_importing_scikit_learn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert len(open_dataset("digits", None, "test")) == 899


def write_cifar(root: Path, name: str, key: str, monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """A CIFAR archive of 6 images in the authors' layout, with torchvision's checksums set to it."""
    cls = getattr(torchvision.datasets, name)
    folder = root / cls.base_folder
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (6, 3, 32, 32), dtype=np.uint8)
    batch = {"data": pixels.reshape(6, -1), key: [3, 1, 4, 1, 5, 9]}
    meta = {cls.meta["key"]: [str(i) for i in range(10)]}
    lists: dict[str, list[list[str]]] = {}
    for attribute in ("train_list", "test_list"):
        lists[attribute] = []
        for file, _ in getattr(cls, attribute):
            content = pickle.dumps(batch)
            (folder / file).write_bytes(content)
            lists[attribute].append([file, hashlib.md5(content).hexdigest()])
        monkeypatch.setattr(cls, attribute, lists[attribute])
    (folder / cls.meta["filename"]).write_bytes(pickle.dumps(meta))
    digest = hashlib.md5(pickle.dumps(meta)).hexdigest()
    monkeypatch.setattr(cls, "meta", {**cls.meta, "md5": digest})
    return pixels


@pytest.mark.parametrize(
    ("name", "cls", "key"), [("cifar10", "CIFAR10", "labels"), ("cifar100", "CIFAR100", "fine_labels")]
)
def test_cifar_as_its_authors_pack_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, cls: str, key: str
) -> None:
    pixels = write_cifar(tmp_path, cls, key, monkeypatch)
    images = open_dataset(name, tmp_path)
    assert list(images.labels) == [3, 1, 4, 1, 5, 9]
    assert list(images.ids)[:2] == ["test/00000", "test/00001"]
    assert np.array_equal(images.read(2), pixels[2].transpose(1, 2, 0))


def test_a_damaged_cifar_archive_is_never_unpickled(tmp_path: Path) -> None:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "test_batch").write_bytes(b"cos\nsystem\n")
    with pytest.raises(DatasetError, match="Dataset not found or corrupted"):
        open_dataset("cifar10", tmp_path)


def test_svhn_as_its_authors_pack_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3, 4), dtype=np.uint8)
    scipy.io.savemat(tmp_path / "test_32x32.mat", {"X": pixels, "y": np.array([[1], [10], [3], [9]])})
    digest = hashlib.md5((tmp_path / "test_32x32.mat").read_bytes()).hexdigest()
    monkeypatch.setitem(torchvision.datasets.SVHN.split_list, "test", ["", "test_32x32.mat", digest])
    images = open_dataset("svhn", tmp_path)
    assert list(images.labels) == [1, 0, 3, 9]  # SVHN writes the digit 0 as 10
    assert np.array_equal(images.read(1), pixels[..., 1])


def test_digits_for_networks_of_larger_images() -> None:
    """Three equal channels of 32x32, of the same scans in the same order."""
    small, large = arrays.digits("test"), arrays.digits_32("test")
    assert large.pixels.shape == (899, 32, 32, 3)
    assert (large.ids, large.labels) == (small.ids, small.labels)
    assert np.array_equal(large.pixels[..., 0], large.pixels[..., 2])
    back = np.stack([np.asarray(Image.fromarray(scan[..., 0]).resize((8, 8))) for scan in large.pixels])
    assert np.corrcoef(back.ravel(), small.pixels.ravel())[0, 1] > 0.98
