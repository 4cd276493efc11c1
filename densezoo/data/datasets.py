"""The datasets by name: their classes and layouts, and how each is opened as an `ImageSet`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from densezoo.data import imagenet
from densezoo.data.class_names import DIGITS, cifar_classes, imagenet_classes
from densezoo.data.images import ArrayImages, ImageSet
from densezoo.data.labels import (
    SPLIT_FOLDERS,
    ClassNames,
    LabelledFile,
    check_labels,
    label_files,
    read_class_map,
)
from densezoo.data.layouts import arrays, imagenet_c
from densezoo.data.layouts.folder import folder_images, list_tar, tar_images
from densezoo.data.layouts.lists import KNOWN_LISTS, find_list, is_flat, label_listed
from densezoo.data.layouts.shards import is_webdataset, parquet_images, shard_files, webdataset_images
from densezoo.errors import DatasetError, UnknownNameError, some


@dataclass(frozen=True)
class Dataset:
    """A dataset that configs name.

    Args:
        name: what a config's ``dataset`` has.
        num_classes: labels go from 0 to num_classes - 1; None: the number of class folders.
        wants: what ``--data-root`` must be, for messages.
        names: -> what the classes are called, in label order; None: nobody says.
        folders: -> the folder names in label order, if folders are matched by name.
        native: (name of a file or folder in the root, opener (root, split)) of the distributor's own layouts.
        built_in: split -> the images of a dataset that needs no files.
        subsets: root -> {name: its folder or tar}, for a dataset of several sets that are measured separately.
        finish: changes the opened set: other labels, fewer classes.
    """

    name: str
    num_classes: int | None
    wants: str
    names: Callable[[], Sequence[str]] | None = None
    folders: Callable[[], Sequence[str]] | None = None
    native: tuple[tuple[str, arrays.Opener], ...] = ()
    built_in: Callable[[str], ArrayImages] | None = None
    subsets: Callable[[Path], Mapping[str, Path]] | None = None
    finish: Callable[[ImageSet], ImageSet] | None = None


def open_dataset(
    name: str,
    root: str | Path | None,
    split: str = "test",
    *,
    labels: str | Path | None = None,
    class_map: str | Path | None = None,
    subset: str | None = None,
) -> ImageSet:
    """Open the images of a dataset, in any of its layouts.

    Args:
        name: a key of DATASETS.
        root: folder, tar or parquet file; not needed by built-in datasets.
        split: "train" or "test" (ImageNet's val).
        labels: the list of a flat folder's or tar's labels (`densezoo.data.layouts.lists`); None: one of KNOWN_LISTS.
        class_map: labels of class folders (`densezoo.data.labels.read_class_map`); None: the dataset's own.
        subset: one of `find_subsets`; None: the only one.

    Raises:
        UnknownNameError: no such dataset.
        DatasetError: no such folder, another layout, labels out of range; no such subset, or several of which none is
            chosen.
    """
    dataset = get_dataset(name)
    if dataset.built_in is not None:
        return dataset.built_in(split)
    root = _existing(dataset, root)
    if dataset.subsets is not None:
        subset, root = _choose(dataset.subsets(root), subset, root)
    elif subset is not None:
        raise DatasetError(f"{name} is one set, found --subset {subset}; leave out --subset")
    images = _open(
        dataset, root, split, Path(labels) if labels else None, Path(class_map) if class_map else None, subset
    )
    check_labels(images.labels, [images.location_of(i) for i in range(len(images))], dataset.num_classes)
    if split == "test" and dataset.folders is imagenet.wnids:
        imagenet.refuse_training_images(images)
    images = dataset.finish(images) if dataset.finish else images
    return replace(images, subset=subset)


def find_subsets(name: str, root: str | Path | None) -> Sequence[str | None]:
    """The subsets in a root, of a dataset of several sets; (None,) for any other dataset.

    Args:
        name: of the dataset.
        root: its folder or tar.

    Raises:
        UnknownNameError: no such dataset.
        DatasetError: no such folder, or none of the dataset's sets in it.
    """
    dataset = get_dataset(name)
    return (None,) if dataset.subsets is None else tuple(dataset.subsets(_existing(dataset, root)))


def check_root(name: str, root: str | Path | None) -> None:
    """Refuse a missing folder of images, of a dataset that needs one.

    Args:
        name: of the dataset.
        root: its folder or tar; None: none was given.

    Raises:
        UnknownNameError: no such dataset.
        DatasetError: none was given, or there is none.
    """
    dataset = get_dataset(name)
    if dataset.built_in is None:
        _existing(dataset, root)


def _existing(dataset: Dataset, root: str | Path | None) -> Path:
    if root is None:
        raise DatasetError(f"{dataset.name} needs --data-root: {dataset.wants}")
    root = Path(root).expanduser()
    if not root.exists():
        raise DatasetError(f"{root}: there is no such file or folder; --data-root must be {dataset.wants}")
    return root


def _choose(subsets: Mapping[str, Path], subset: str | None, root: Path) -> tuple[str, Path]:
    """The name and path of the chosen subset; of the only one if none is chosen."""
    chosen = next(iter(subsets)) if subset is None and len(subsets) == 1 else subset
    if chosen is not None and chosen in subsets:
        return chosen, subsets[chosen]
    raise DatasetError(
        f"{root}: expected {subset or 'one set'}, found {len(subsets)}: {some([*subsets])}; each is measured by "
        "itself: choose by --subset, or --subset all"
    )


def called(dataset: str, label: int) -> str:
    """What a class of a dataset is called beside its number, "8 (ship)"; the number alone where nobody says.

    Args:
        dataset: its name, of any dataset.
        label: the class.
    """
    names = DATASETS[dataset].names if dataset in DATASETS else None
    return f"{label} ({names()[label]})" if names is not None and names()[label] != str(label) else str(label)


def get_dataset(name: str) -> Dataset:
    """The dataset of that name.

    Args:
        name: a key of DATASETS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in DATASETS:
        raise UnknownNameError("dataset", name, DATASETS)
    return DATASETS[name]


def same_classes(trained_on: str, dataset: str) -> bool:
    """Whether a network that was trained on one dataset can be measured on another, because labels mean the same.

    A user's folder may have any classes, so any network fits; CIFAR-10.1 has the classes of CIFAR-10.

    Args:
        trained_on, dataset: names of datasets.

    Raises:
        UnknownNameError: no such dataset.
    """
    own, other = get_dataset(trained_on), get_dataset(dataset)
    by_name = own.folders is not None and own.folders is other.folders
    return by_name or other.num_classes is None or own.name == other.name.removesuffix(".1")


def _open(
    dataset: Dataset, root: Path, split: str, labels: Path | None, class_map: Path | None, subset: str | None
) -> ImageSet:
    for marker, opener in dataset.native:
        home = root.parent if root.name == marker else root
        if (home / marker).exists():
            return opener(home, split)
    names: ClassNames | None = dataset.folders() if dataset.folders else None
    if class_map is not None:
        names = read_class_map(class_map)
    if root.suffix == ".parquet" or (root.is_dir() and shard_files(root, ".parquet", split)):
        return parquet_images(root, split, names)
    unpacked = any((root / folder).is_dir() for folder in SPLIT_FOLDERS[split])
    tars = [root] if root.is_file() else [] if unpacked else shard_files(root, ".tar", split)
    tar = list_tar(tars[0]) if tars else None
    if tar and is_webdataset(tar):
        return webdataset_images(root, split, names)
    if root.is_dir() and root.name in SPLIT_FOLDERS["train"] and split == "test":
        raise DatasetError(f"{root}: is the training set by its name; point --data-root at the folder of val/ or test/")
    source = tars[0] if len(tars) == 1 else root
    labeller = partial(
        _label, dataset=dataset, split=split, names_of_classes=names, labels=labels, root=source, subset=subset
    )
    if source.is_dir():
        return folder_images(source, split, dataset.num_classes, names, labeller)
    return tar_images(tar or list_tar(source), split, dataset.num_classes, names, labeller)


def _label(
    names: Sequence[str],
    location: str,
    *,
    dataset: Dataset,
    split: str,
    names_of_classes: ClassNames | None,
    labels: Path | None,
    root: Path,
    subset: str | None,
) -> list[LabelledFile]:
    """Label the images by a list if one is given or they have no class folders; otherwise by class folders."""
    if subset is not None and root.is_file():
        names = imagenet_c.members_of(subset, root, names)
    flat = is_flat(names, names_of_classes)
    path = labels or (find_list(root) if flat else None)
    if path is not None:
        return label_listed(names, location, path, dataset.num_classes, names_of_classes)
    if flat and dataset.num_classes != 1:
        raise DatasetError(
            f"{location}: all images lie in one folder, so nothing tells their classes; expected {dataset.wants}, "
            f"or a list of labels beside them ({', '.join(KNOWN_LISTS[:4])}), or one for densezoo test --labels"
        )
    return label_files(names, location, split, dataset.num_classes, names_of_classes)


_VALIDATION = (
    "the ImageNet validation set: a folder or tar of val/<wnid>/*.JPEG or of <wnid>/*.JPEG, ILSVRC2012_img_val.tar or "
    "a flat folder with a list of labels, Hugging Face's parquet files, or WebDataset tars"
)


def _imagenet(name: str, wants: str, **more: object) -> Dataset:
    return Dataset(name, 1000, wants, lambda: imagenet_classes()[1], imagenet.wnids, **more)  # type: ignore[arg-type]  # by name


DATASETS = {
    dataset.name: dataset
    for dataset in (
        _imagenet("imagenet1k", _VALIDATION),
        _imagenet("imagenet-real", _VALIDATION, finish=imagenet.real_labels),
        _imagenet("imagenet-a-clean", _VALIDATION, finish=imagenet.only_classes("imagenet_a")),
        _imagenet("imagenet-r-clean", _VALIDATION, finish=imagenet.only_classes("imagenet_r")),
        _imagenet("imagenetv2-matched-frequency", "imagenetv2-matched-frequency-format-val/, its folders 0 to 999"),
        _imagenet("imagenet-sketch", "ImageNet-Sketch's sketch/<wnid>/*.JPEG: that folder"),
        _imagenet("imagenet-a", "imagenet-a/, its folders <wnid>", finish=imagenet.only_classes("imagenet_a")),
        _imagenet("imagenet-r", "imagenet-r/, its folders <wnid>", finish=imagenet.only_classes("imagenet_r")),
        _imagenet(
            imagenet_c.NAME,
            "ImageNet-C's <corruption>/<severity>/<wnid>/*.JPEG: the folder of one, of some or of all, or their tars",
            subsets=imagenet_c.find_subsets,
        ),
        Dataset(
            "cifar10",
            10,
            "a folder with cifar-10-batches-py/ or cifar-10-batches-bin/, a folder or tar of test/<class>/*.png, or "
            "Hugging Face's parquet files",
            names=partial(cifar_classes, 10),
            native=(
                ("cifar-10-batches-py", arrays.cifar_python("CIFAR10")),
                ("cifar-10-batches-bin", arrays.cifar_binary(arrays.CIFAR10_FILES, label_bytes=1)),
            ),
        ),
        Dataset(
            "cifar100",
            100,
            "a folder with cifar-100-python/ or cifar-100-binary/, a folder or tar of test/<class>/*.png, or Hugging "
            "Face's parquet files",
            names=partial(cifar_classes, 100),
            native=(
                ("cifar-100-python", arrays.cifar_python("CIFAR100")),
                ("cifar-100-binary", arrays.cifar_binary(arrays.CIFAR100_FILES, label_bytes=2)),
            ),
        ),
        Dataset(
            "cifar10.1",
            10,
            "a folder with cifar10.1_v6_data.npy and cifar10.1_v6_labels.npy",
            names=partial(cifar_classes, 10),
            native=(("cifar10.1_v6_data.npy", arrays.cifar10_1), ("cifar10.1_v4_data.npy", arrays.cifar10_1)),
        ),
        Dataset(
            "svhn",
            10,
            "a folder with test_32x32.mat, or a folder or tar of test/<digit>/*.png",
            names=lambda: DIGITS,
            native=(("test_32x32.mat", arrays.svhn),),
        ),
        Dataset("digits", 10, "nothing: it comes with scikit-learn", names=lambda: DIGITS, built_in=arrays.digits),
        Dataset(
            "digits-32", 10, "nothing: it comes with scikit-learn", names=lambda: DIGITS, built_in=arrays.digits_32
        ),
        Dataset("imagefolder", None, "a folder or tar of <class>/<file>, or the same below val/ or test/"),
    )
}
