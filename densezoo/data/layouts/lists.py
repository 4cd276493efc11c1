"""Labels of images without class folders, from the lists that ImageNet's users keep beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from densezoo.data.labels import ClassNames, LabelledFile, check_labels, image_files, is_image, label_of
from densezoo.errors import DatasetError

#: Lists that are looked for when none is given, beside the images or one folder up.
KNOWN_LISTS = (
    "val.txt",  # Caffe: name and label a line
    "LOC_val_solution.csv",  # Kaggle: name, then wnid and boxes
    "imagenet_2012_validation_synset_labels.txt",  # TensorFlow: a wnid a line
    "ILSVRC2012_validation_ground_truth.txt",  # the devkit's own class number a line
    "data/ILSVRC2012_validation_ground_truth.txt",
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt",
)


@dataclass(frozen=True)
class ListFormat:
    """One kind of line.

    Args:
        matches: the line's words -> whether they are of this kind.
        entry: the line's words -> (name of the image or None, its class).
    """

    matches: Callable[[list[str]], bool]
    entry: Callable[[list[str]], tuple[str | None, str]]


_ADVICE = "put the right list there, or name it to densezoo test --labels"
_FORMATS = (
    ListFormat(lambda words: len(words) == 1, lambda words: (None, words[0])),
    ListFormat(lambda words: len(words) == 2, lambda words: (PurePosixPath(words[0]).name, words[1])),
    ListFormat(  # ILSVRC2012_val_00000001,n01751748 111 108 441 193
        lambda words: len(words) % 5 == 1, lambda words: (f"{words[0]}.JPEG", words[1])
    ),
)


def find_list(root: Path) -> Path | None:
    """The first of KNOWN_LISTS in a folder, or in the folder above it; None if there is none.

    Args:
        root: the folder or tar of the images.
    """
    folders = [root, root.parent] if root.is_dir() else [root.parent]
    return next((folder / name for folder in folders for name in KNOWN_LISTS if (folder / name).is_file()), None)


def is_flat(names: Sequence[str], class_names: ClassNames | None) -> bool:
    """Whether all images are in one folder, which is no class.

    Args:
        names: paths of the files.
        class_names: class folders in label order, or {class folder: label}; None: folders are not matched by name.
    """
    folders = {PurePosixPath(name) for name in {name.rpartition("/")[0] for name in names if is_image(name)}}
    name = next(iter(folders)).name if len(folders) == 1 else None
    return name is not None and not name.isdecimal() and name not in label_of(class_names)


def label_listed(
    names: Sequence[str], location: str, path: Path, num_classes: int | None, class_names: ClassNames | None
) -> list[LabelledFile]:
    """The images of a list, with ids and labels; a list without names has one line for each image, sorted by name.

    An id is ``<class>/<file>`` if the classes' names are known, as in class folders, so that fingerprints are the same.

    Args:
        names: paths of the files.
        location: of the files, for messages.
        path: the list.
        num_classes: labels go from 0 to num_classes - 1; None: any number.
        class_names: class folders in label order, or {class folder: label}; None: folders are not matched by name.

    Raises:
        DatasetError: no list, an image without a line or a line without its image, labels out of range.
    """
    entries = _read(path)
    images = sorted(((file.name, i) for i, file in image_files(names)))
    labels = _labels([entry[1] for entry in entries], path, num_classes, class_names, named=entries[0][0] is not None)
    keys = [name if name is not None else images[i][0] for i, (name, _) in enumerate(entries) if i < len(images)]
    listed = dict(zip(keys, labels))
    missing = sorted(set(listed) - {name for name, _ in images})
    extra = sorted({name for name, _ in images} - set(listed))
    if missing or extra or not len(entries) == len(images) == len(listed):
        first = f"; first image that is not there: {missing[0]}" if missing else ""
        first += f"; first image that is not in the list: {extra[0]}" if extra else ""
        raise DatasetError(
            f"{location}: {path} has {len(entries):,} lines for {len(images):,} images{first}. "
            f"Each image needs one line: fetch the missing images, or {_ADVICE}"
        )
    folders = {label: f"{name}/" for name, label in label_of(class_names).items()}
    files = [LabelledFile(i, folders.get(listed[name], "") + name, listed[name]) for name, i in images]
    return sorted(files, key=lambda file: file.id)


def _read(path: Path) -> list[tuple[str | None, str]]:
    """(name or None, class) of each line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{path}: no list of labels ({error})") from None
    rows = [line.replace(",", " ").split() for line in lines if line.strip() and not line.startswith("ImageId")]
    for kind in _FORMATS:
        if rows and all(kind.matches(row) for row in rows):
            return [kind.entry(row) for row in rows]
    raise DatasetError(
        f"{path}: no list of labels; expected each line to be 'file label', a label, a wnid or Kaggle's "
        "'image,wnid x y x y'" + (f", found {' '.join(rows[0])!r}" if rows else ", found no line")
    )


def _labels(
    classes: Sequence[str], path: Path, num_classes: int | None, class_names: ClassNames | None, *, named: bool
) -> list[int]:
    """The labels of a list's classes, which are names, labels, or the devkit's numbers from 1."""
    if all(name.isdecimal() for name in classes):
        numbers = [int(name) for name in classes]
        if named or 0 in numbers:
            check_labels(numbers, [f"{path}, line {i + 1}" for i in range(len(numbers))], num_classes)
            return numbers
        wnids = _devkit_wnids(path)
        classes = [wnids.get(number, str(number)) for number in numbers]
    known = label_of(class_names)
    for i, name in enumerate(classes):
        if name not in known:
            raise DatasetError(f"{path}, line {i + 1}: {name!r} is no class of this dataset; {_ADVICE}")
    return [known[name] for name in classes]


def _devkit_wnids(ground_truth: Path) -> Mapping[int, str]:
    """{class number of the devkit: wnid}; its order is neither alphabetical nor that of the networks' labels.

    Raises:
        DatasetError: there is no readable meta.mat beside the ground truth.
    """
    import scipy.io

    path = ground_truth.parent / "meta.mat"
    try:
        synsets = scipy.io.loadmat(path, squeeze_me=True)["synsets"]
        return {int(number): str(wnid) for number, wnid in zip(synsets["ILSVRC2012_ID"], synsets["WNID"])}
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise DatasetError(
            f"{ground_truth}: its labels count from 1, so they are the devkit's class numbers, whose order only "
            f"{path} tells ({error}); copy data/meta.mat of ILSVRC2012_devkit_t12 there"
        ) from None
