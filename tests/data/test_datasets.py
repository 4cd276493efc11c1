from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torchvision.datasets
from sklearn.datasets import load_digits

from densezoo.data.datasets import DATASETS, open_dataset
from densezoo.errors import DatasetError, UnknownNameError


def test_digits_are_the_two_halves_of_scikit_learn_s() -> None:
    data = load_digits()
    train, test = (open_dataset("digits", None, split) for split in ("train", "test"))
    assert (len(train), len(test)) == (898, 899)
    assert [*train.labels, *test.labels] == data.target.tolist()
    assert not set(train.ids) & set(test.ids)
    pixels = np.stack([np.asarray(test.read(i)) for i in range(len(test))])
    assert np.array_equal(pixels, np.rint(data.images[898:] * 255 / 16))
    assert test.fingerprint() != train.fingerprint()


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


def test_imagenet_folders_are_known_by_their_wnid(tmp_path: Path) -> None:
    for wnid in ("n01440764", "n01443537", "n15075141"):  # the first two classes and the last
        (tmp_path / "val" / wnid).mkdir(parents=True)
        (tmp_path / "val" / wnid / "x.JPEG").write_bytes(b"")
    images = open_dataset("imagenet1k", tmp_path)
    assert list(images.labels) == [0, 1, 999]


def test_a_root_that_isn_t_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="missing: there is no such file or folder; --data-root has to be a folder"):
        open_dataset("cifar10", tmp_path / "missing")
    with pytest.raises(DatasetError, match="cifar10 needs --data-root: a folder with cifar-10-batches-py/"):
        open_dataset("cifar10", None)


def test_names() -> None:
    assert all(name == dataset.name for name, dataset in DATASETS.items())
    with pytest.raises(UnknownNameError, match="there is no dataset 'cifr10'; did you mean 'cifar10'"):
        open_dataset("cifr10", None)
