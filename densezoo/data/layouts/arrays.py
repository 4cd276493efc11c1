"""Datasets of small images that are published as arrays: CIFAR in three formats, SVHN, scikit-learn's digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezoo.data.images import ArrayImages
from densezoo.errors import DatasetError
from densezoo.paths import sklearn_sample

Opener: TypeAlias = Callable[[Path, str], ArrayImages]

#: {split: files of the binary version}, https://www.cs.toronto.edu/~kriz/cifar.html
CIFAR10_FILES = {
    "train": tuple(f"cifar-10-batches-bin/data_batch_{i}.bin" for i in range(1, 6)),
    "test": ("cifar-10-batches-bin/test_batch.bin",),
}
CIFAR100_FILES = {"train": ("cifar-100-binary/train.bin",), "test": ("cifar-100-binary/test.bin",)}


def digits(split: str) -> ArrayImages:
    """scikit-learn's 1,797 scans of digits (UCI, CC BY 4.0), 8x8, in the halves of scikit-learn's own example.

    The scans are ordered by writer, so the second half is of other writers than the first:
    https://scikit-learn.org/stable/auto_examples/classification/plot_digits_classification.html

    Args:
        split: "train", the first half, or "test".
    """
    rows = np.loadtxt(sklearn_sample("data/digits.csv.gz"), delimiter=",")  # 64 pixels of 0 to 16 and the label
    pixels = np.rint(rows[:, :64].reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    half = slice(0, 898) if split == "train" else slice(898, None)
    ids = [f"{i:04d}" for i in range(len(pixels))]
    return ArrayImages("sklearn.datasets.load_digits", ids[half], rows[half, 64].astype(int).tolist(), pixels[half])


def digits_32(split: str) -> ArrayImages:
    """The same scans as a network of CIFAR's images takes them: 32x32, three equal channels; Pillow's bicubic filter.

    Args:
        split: "train", the first half, or "test".
    """
    scans = digits(split)
    enlarged = [np.asarray(Image.fromarray(scan).resize((32, 32), Image.Resampling.BICUBIC)) for scan in scans.pixels]
    return replace(scans, pixels=np.repeat(np.stack(enlarged)[..., None], 3, axis=-1))


def cifar_python(class_name: str) -> Opener:
    """An opener of the pickled batches, which uses a class of torchvision.

    torchvision checks the md5 of every batch file before it unpickles it.

    Args:
        class_name: of ``torchvision.datasets``.
    """

    def opener(root: Path, split: str) -> ArrayImages:
        import torchvision.datasets

        data = _checked(root, lambda: getattr(torchvision.datasets, class_name)(str(root), train=split == "train"))
        return _numbered(root, split, data.data, np.asarray(data.targets))

    return opener


def cifar_binary(files: Mapping[str, Sequence[str]], label_bytes: int) -> Opener:
    """An opener of the binary version: records of labels and 3x32x32 pixels.

    Args:
        files: {split: its files, relative to the root}.
        label_bytes: labels of a record, a byte each; the last one is used.
    """

    def opener(root: Path, split: str) -> ArrayImages:
        length = label_bytes + 3 * 32 * 32
        content = b"".join(_bytes(root / name, length) for name in files[split])
        records = np.frombuffer(content, np.uint8).reshape(-1, length)
        pixels = records[:, label_bytes:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        return _numbered(root, split, pixels, records[:, label_bytes - 1])

    return opener


def _bytes(path: Path, length: int) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(f"{path}: can't be read ({error.strerror}); unpack the archive anew") from None
    if not content or len(content) % length:
        raise DatasetError(f"{path}: expected records of {length:,} bytes, found {len(content):,} bytes: truncated")
    return content


def cifar10_1(root: Path, split: str) -> ArrayImages:
    """CIFAR-10.1 v6, or v4 if v6 isn't there: https://github.com/modestyachts/CIFAR-10.1, datasets/.

    Args:
        root: folder of the .npy files.
        split: not used; there is one set.

    Raises:
        DatasetError: a file is missing, broken or of another shape.
    """
    version = next(v for v in ("v6", "v4") if (root / f"cifar10.1_{v}_data.npy").exists())
    paths = [root / f"cifar10.1_{version}_{kind}.npy" for kind in ("data", "labels")]
    try:
        pixels, labels = (np.load(path, allow_pickle=False) for path in paths)
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{root}: expected {' and '.join(path.name for path in paths)} ({error})") from None
    if pixels.dtype != np.uint8 or pixels.shape != (len(labels), 32, 32, 3):
        raise DatasetError(
            f"{paths[0]}: expected uint8 ({len(labels)}, 32, 32, 3) as {paths[1].name} has that many labels, "
            f"found {pixels.dtype} {pixels.shape}"
        )
    return _numbered(root, version, pixels, labels)


def svhn(root: Path, split: str) -> ArrayImages:
    """SVHN's cropped digits, .mat; torchvision checks the md5 and changes the label of the digit 0 from 10 to 0.

    Args:
        root: folder of the files.
        split: "train" or "test".

    Raises:
        DatasetError: a file is missing or broken.
    """
    import torchvision.datasets

    data = _checked(root, lambda: torchvision.datasets.SVHN(str(root), split=split))
    return _numbered(root, split, data.data.transpose(0, 2, 3, 1), data.labels)


def _numbered(root: Path, prefix: str, pixels: NDArray[np.uint8], labels: NDArray[np.integer]) -> ArrayImages:
    return ArrayImages(str(root), [f"{prefix}/{i:05d}" for i in range(len(labels))], labels.tolist(), pixels)


def _checked(root: Path, opener: Callable[[], object]):  # type: ignore[no-untyped-def]  # torchvision is untyped
    try:
        return opener()
    except RuntimeError as error:
        raise DatasetError(f"{root}: {error} (torchvision checks the published files)") from None
