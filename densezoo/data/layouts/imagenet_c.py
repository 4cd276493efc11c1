"""ImageNet-C (https://arxiv.org/abs/1903.12261): finds its sets in a folder or tar by the folders' names.

Each corruption at each severity is a separate validation set: ``<corruption>/<severity>/<wnid>/<image>``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from densezoo.data.labels import image_files
from densezoo.data.layouts.folder import list_tar
from densezoo.errors import DatasetError, suggestion

NAME = "imagenet-c"
#: The 15 corruptions of the mean corruption error, in the paper's order.
CORRUPTIONS = (
    "gaussian_noise",
    "shot_noise",
    "impulse_noise",
    "defocus_blur",
    "glass_blur",
    "motion_blur",
    "zoom_blur",
    "snow",
    "frost",
    "fog",
    "brightness",
    "contrast",
    "elastic_transform",
    "pixelate",
    "jpeg_compression",
)
EXTRA = ("speckle_noise", "gaussian_blur", "spatter", "saturate")  # for validation; not in that mean
SEVERITIES = ("1", "2", "3", "4", "5")
_KNOWN = CORRUPTIONS + EXTRA
_LAYOUT = "expected <corruption>/<severity>/<wnid>/<image>"


def find_subsets(root: Path) -> Mapping[str, Path]:
    """{"<corruption>/<severity>": the folder or tar that has it}, in the paper's order.

    Args:
        root: the folder of one set, of a corruption, of corruptions or of groups of them (``noise/``), or a tar of
            those, or a folder of such tars.

    Raises:
        DatasetError: it has no set; a corruption or severity that ImageNet-C doesn't have.
    """
    sets = _in_tar(root) if root.is_file() else _in_folder(root)
    if not sets:
        raise DatasetError(
            f"{root}: {_LAYOUT}, or one of these folders, found no corruption's name; they are {', '.join(_KNOWN)}. "
            "Name the folders so, or evaluate other images as --dataset imagenet1k"
        )
    return {subset: sets[subset] for c in _KNOWN for s in SEVERITIES if (subset := f"{c}/{s}") in sets}


def members_of(subset: str, tar: Path, names: Sequence[str]) -> list[str]:
    """The names of a tar's members, with "" for those of other sets, so that positions stay the same.

    Args:
        subset: "<corruption>/<severity>".
        tar: the tar.
        names: of its members.
    """
    return [name if "/".join(_above_class(tar, name)) == subset else "" for name in names]


def _in_folder(root: Path) -> dict[str, Path]:
    root = next((path for path in (root.absolute(), root.resolve()) if path.name in _KNOWN or _is_set(path)), root)
    if _is_set(root):
        return {f"{root.parent.name}/{root.name}": root}
    inside = [] if root.name in _KNOWN else _folders(root)
    deeper = [folder for group in inside if group.name not in _KNOWN for folder in _folders(group)]
    sets = {}
    for corruption in [root, *inside, *deeper]:
        for severity in _folders(corruption):
            if corruption.name in _KNOWN or severity.name in SEVERITIES:
                sets[_checked((corruption.name, severity.name), severity)] = severity
    for tar in sorted(root.glob("*.tar")):
        sets |= _in_tar(tar)
    return sets


def _is_set(folder: Path) -> bool:
    return folder.parent.name in _KNOWN and folder.name in SEVERITIES


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        return [folder / entry.name for entry in entries if entry.is_dir()]


def _in_tar(tar: Path) -> dict[str, Path]:
    images = image_files([member.name for member in list_tar(tar).members])
    return {_checked(_above_class(tar, str(name)), f"{tar}: {name}"): tar for _, name in images}


def _above_class(tar: Path, member: str) -> tuple[str, ...]:
    """(corruption, severity) of an image; the tar's own path counts as folders: ``fog/3.tar`` has ``<wnid>/``."""
    return (PurePosixPath(tar.absolute().with_suffix("")) / member).parts[-4:-2]


def _checked(names: tuple[str, ...], location: object) -> str:
    for kind, name, known in zip(("corruption", "severity"), names, (_KNOWN, SEVERITIES)):
        if name not in known:
            raise DatasetError(f"{location}: {_LAYOUT}, found the {kind} {name!r}{suggestion(name, known)}")
    return "/".join(names)
