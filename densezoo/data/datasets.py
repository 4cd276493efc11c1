"""The datasets by name: how many classes, which layouts, and how each opens as an `ImageSet`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from densezoo.data.images import ArrayImages, ImageSet, check_labels, folder_images, tar_images
from densezoo.errors import DatasetError, UnknownNameError


@dataclass(frozen=True)
class Dataset:
    """A dataset that configs name.

    Args:
        name: what a config's ``dataset`` says.
        num_classes: labels go from 0 to one less.
        wants: what ``--data-root`` has to be, for messages.
        class_names: the folder names in label order, where folders are matched by name.
        native: (name of a file or folder in the root, opener (root, split)) of the distributor's own layout.
        built_in: opener (split) of a dataset that needs no files.
    """

    name: str
    num_classes: int
    wants: str
    class_names: Callable[[], Sequence[str]] | None = None
    native: tuple[str, Callable[[Path, str], ArrayImages]] | None = None
    built_in: Callable[[str], ArrayImages] | None = None


def open_dataset(name: str, root: str | Path | None, split: str = "test") -> ImageSet:
    """The images of a dataset.

    Args:
        name: a key of DATASETS.
        root: folder or tar; not needed by built-in datasets.
        split: "train" or "test" (ImageNet's val).

    Raises:
        UnknownNameError: no such dataset.
        DatasetError: no such folder, another layout, labels out of range.
    """
    if name not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS)
    dataset = DATASETS[name]
    if dataset.built_in is not None:
        return dataset.built_in(split)
    if root is None:
        raise DatasetError(f"{name} needs --data-root: {dataset.wants}")
    root = Path(root).expanduser()
    if not root.exists():
        raise DatasetError(f"{root}: there is no such file or folder; --data-root has to be {dataset.wants}")
    if dataset.native is not None and (root / dataset.native[0]).exists():
        images = dataset.native[1](root, split)
        check_labels(images.labels, [images.where(i) for i in range(len(images))], dataset.num_classes)
        return images
    class_names = dataset.class_names() if dataset.class_names else None
    opener = folder_images if root.is_dir() else tar_images
    return opener(root, split, dataset.num_classes, class_names)


def _digits(split: str) -> ArrayImages:
    """scikit-learn's 1,797 scans of digits (UCI, CC BY 4.0), 8x8, in the halves of scikit-learn's own example.

    The scans are ordered by writer, so the second half has other hands than the first:
    https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html
    """
    from sklearn.datasets import load_digits

    data = load_digits()
    pixels = np.rint(data.images * (255 / 16)).astype(np.uint8)
    half = slice(0, 898) if split == "train" else slice(898, None)
    ids = [f"{i:04d}" for i in range(len(pixels))]
    return ArrayImages("sklearn.datasets.load_digits", ids[half], data.target[half].tolist(), pixels[half])


def _cifar(class_name: str) -> Callable[[Path, str], ArrayImages]:
    def open_cifar(root: Path, split: str) -> ArrayImages:
        import torchvision.datasets

        # torchvision checks the md5 of every batch file before it unpickles it
        data = _opened(root, lambda: getattr(torchvision.datasets, class_name)(str(root), train=split == "train"))
        ids = [f"{split}/{i:05d}" for i in range(len(data.targets))]
        return ArrayImages(str(root), ids, list(data.targets), data.data)

    return open_cifar


def _svhn(root: Path, split: str) -> ArrayImages:
    import torchvision.datasets

    data = _opened(root, lambda: torchvision.datasets.SVHN(str(root), split=split))
    ids = [f"{split}/{i:05d}" for i in range(len(data.labels))]
    return ArrayImages(str(root), ids, data.labels.tolist(), data.data.transpose(0, 2, 3, 1))


def _opened(root: Path, opener: Callable[[], object]):  # type: ignore[no-untyped-def]  # torchvision is untyped
    try:
        return opener()
    except RuntimeError as error:
        raise DatasetError(f"{root}: {error} (torchvision checks the published files)") from None


@lru_cache(maxsize=1)
def _imagenet_wnids() -> Sequence[str]:
    from timm.data.imagenet_info import ImageNetInfo  # here, because timm takes 3 s to import

    names: Sequence[str] = ImageNetInfo("imagenet-1k").label_names()  # type: ignore[no-untyped-call]
    return names


DATASETS = {
    dataset.name: dataset
    for dataset in (
        Dataset(
            "imagenet1k",
            1000,
            "the ImageNet validation set: a folder or tar of val/<wnid>/*.JPEG, or of <wnid>/*.JPEG",
            class_names=_imagenet_wnids,
        ),
        Dataset(
            "cifar10",
            10,
            "a folder with cifar-10-batches-py/, or a folder or tar of test/<class>/*.png",
            native=("cifar-10-batches-py", _cifar("CIFAR10")),
        ),
        Dataset(
            "cifar100",
            100,
            "a folder with cifar-100-python/, or a folder or tar of test/<class>/*.png",
            native=("cifar-100-python", _cifar("CIFAR100")),
        ),
        Dataset(
            "svhn",
            10,
            "a folder with test_32x32.mat, or a folder or tar of test/<digit>/*.png",
            native=("test_32x32.mat", _svhn),
        ),
        Dataset("digits", 10, "nothing: it comes with scikit-learn", built_in=_digits),
    )
}
