"""What a training is made of: images to train on and to measure on, their classes, and the network to begin with."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from densezoo import protocols
from densezoo.api.images import OWN, open_images
from densezoo.data import split
from densezoo.data.class_folders import class_folders, labelled_by_folder
from densezoo.data.images import ImageSet
from densezoo.data.labels import is_image
from densezoo.data.layouts.folder import folder_images
from densezoo.data.layouts.label_table import read_label_table, table_images
from densezoo.errors import ConfigError, DatasetError, some
from densezoo.evaluation import multi_label, run
from densezoo.evaluation.hashing import hashed
from densezoo.training.balance import class_weights, label_weights
from densezoo.types import Experiment, Recipe

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class Material:
    """The images of a training.

    Args:
        experiment: the config's; of a user's own images with as many classes as they have.
        train: to train on; with ``label_sets`` if an image may have several labels.
        held_out: to measure on.
        class_names: of a user's own classes or labels, in the order of the logits; None: the dataset's.
        split: which images were drawn to be measured on; None: the dataset says.
        said: what was found and done, in lines for the user.
    """

    experiment: Experiment
    train: ImageSet
    held_out: ImageSet
    class_names: tuple[str, ...] | None = None
    split: split.Split | None = None
    said: tuple[str, ...] = ()

    @property
    def recipe(self) -> Recipe:
        """How the config trains."""
        assert self.experiment.train is not None
        return self.experiment.train

    def class_weights(self) -> Tensor | None:
        """(classes,), float32: what each weighs in the loss, if the recipe asks for it; else None.

        Raises:
            DatasetError: a class has no image to train on.
        """
        if self.recipe.class_weights is None:
            return None
        import torch  # here, because names are checked before it is imported

        images, classes = self.train, self.experiment.model.num_classes
        several = images.label_sets if self.recipe.label_table is not None else None
        if several is None:
            return torch.from_numpy(class_weights(images.labels, classes, images.location))
        return torch.from_numpy(label_weights(several, classes, images.location))

    def measuring(self, device: str) -> Callable[[nn.Module], Mapping[str, float]]:
        """What is measured of a network between epochs; the first measure is what the best weights are chosen by.

        network -> {"top1": percent, "top5": percent}, or of several labels an image {"auc": 0 to 1, ...}
        (`densezoo.evaluation.multi_label.label_measures`).

        Args:
            device: that computes.
        """
        images, model, size = hashed(self.held_out), self.experiment.model, self.recipe.batch_size
        protocol = protocols.get_protocol(self.experiment.protocol)
        if self.recipe.label_table is None:
            return lambda network: run.percentages(network, images, protocol, model, device, size)
        names, sets = self.class_names or (), images.label_sets or ()

        def measure(network: nn.Module) -> Mapping[str, float]:
            scores = multi_label.label_scores(network.eval(), images, protocol, model, device, size)
            return multi_label.label_measures(scores, sets, names)

        return measure


def open_material(experiment: Experiment, data_root: str | Path | None, stored: Path | None = None) -> Material:
    """Open the images of a training; every process calls this.

    A dataset says which images are trained on. Of a user's own (``imagefolder``) the folders ``train/`` and ``val/``
    do; where there is no ``val/``, a share of each class is drawn, or taken as ``stored`` says.

    Args:
        experiment: the config's.
        data_root: folder of the images.
        stored: file of a former run's split; None, or no such file: one is drawn.

    Raises:
        DatasetError: no such images, another layout, unreadable labels; a stored split is not of these images.
        ConfigError: a share that can't be, or a table of labels for another dataset.
    """
    recipe = experiment.train
    assert recipe is not None
    if experiment.dataset != OWN:
        if recipe.label_table is not None:
            raise ConfigError(f"train.label_table is for dataset {OWN!r}, found {experiment.dataset!r}; leave it out")
        train, held_out = (open_images(experiment, data_root, side) for side in ("train", "test"))
        return Material(experiment, train, held_out)
    if not 0 < recipe.held_out < 1:
        raise ConfigError(f"train.held_out is {recipe.held_out}; expected a share above 0 and below 1")
    root = Path(data_root or "").expanduser()
    wants = "a folder of <class>/<file>, or the same below train/ and val/"
    if data_root is None:
        raise DatasetError(f"{OWN} needs --data-root: {wants}")
    if not root.is_dir():
        raise DatasetError(f"{root}: there is no such folder; --data-root must be {wants}")
    opening = _by_folders(root) if recipe.label_table is None else _by_table(root, recipe.label_table)
    if recipe.label_table is None and len(opening.names) < 2:
        raise DatasetError(f"{root}: all images are of one class, {opening.names[0]}; expected {wants} of two or more")
    said = [f"classes: {len(opening.names)}: {some(opening.names)}"]
    drawn, halves = None, opening.halves
    if halves is None:
        drawn = _drawn(opening.images, recipe, stored)
        halves = split.part_of(opening.images, drawn.train), split.part_of(opening.images, drawn.test)
    train, held_out = halves
    said.append(f"images: {len(train):,} to train on, {len(held_out):,} to measure on{', drawn' if drawn else ''}")
    said += _repeated(train, held_out)
    if recipe.label_table is not None:
        said += _unlabelled(root, opening.images)
        lacking = multi_label.check_measurable(held_out, opening.names).items()
        said += [f"not measured: {name}: {has} images have it, {not_} have not" for name, (has, not_) in lacking]
    model = dataclasses.replace(experiment.model, num_classes=len(opening.names))
    return Material(dataclasses.replace(experiment, model=model), train, held_out, opening.names, drawn, tuple(said))


@dataclass(frozen=True)
class _Opening:
    """A user's own images: all, or those of train/ and of val/, and the names of their classes or labels."""

    images: ImageSet
    names: tuple[str, ...]
    halves: tuple[ImageSet, ImageSet] | None


def _by_folders(root: Path) -> _Opening:
    """Images in class folders, or in such below train/ and val/."""
    sides = [side for side in _MEASURED if (root / side).is_dir()]
    if not sides:
        images = folder_images(root, "train", None, None)
        names = class_folders(images)
        _check_none_empty(root, names)
        return _Opening(labelled_by_folder(images, names), names, None)
    train = folder_images(root / "train", "train", None, None)
    names = class_folders(train)
    _check_none_empty(root / "train", names)
    held_out = folder_images(root / sides[0], "test", None, None)
    halves = (labelled_by_folder(train, names), labelled_by_folder(held_out, names))
    return _Opening(halves[0], names, halves)


def _check_none_empty(root: Path, names: Sequence[str]) -> None:
    """Refuse a class folder without images to train on: the network would have no such class.

    Raises:
        DatasetError: there is one.
    """
    folders = {path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")}
    if empty := sorted(folders - set(names)):
        raise DatasetError(f"{root}: no image is in {some(empty)}; add images of that class, or remove the folder")


def _by_table(root: Path, path: str) -> _Opening:
    """Images that a table of labels names, those below val/ to measure on."""
    table = read_label_table(root / path if (root / path).exists() else Path(path).expanduser())
    images = table_images(root, table)
    folders = {name: PurePosixPath(name).parts[0] for name in images.ids}
    side = next((side for side in _MEASURED if side in folders.values()), None)
    if side is None:
        return _Opening(images, table.names, None)
    ids = [[name for name in images.ids if folders[name] == folder] for folder in ("train", side)]
    if not ids[0]:
        raise DatasetError(f"{table.path}: names images below {side}/, and none below train/ to train on")
    return _Opening(images, table.names, (split.part_of(images, ids[0]), split.part_of(images, ids[1])))


#: Folders of images to measure on; of several the first one is, and the others are for a test when all is decided.
_MEASURED = ("val", "validation", "test")


def _drawn(images: ImageSet, recipe: Recipe, stored: Path | None) -> split.Split:
    """The stored split, held to the images, or a new one."""
    known = hashed(images)
    former = None if stored is None else split.stored_split(stored)
    if stored is None or former is None:
        return split.draw_split(known, recipe.seed, recipe.held_out)
    split.check_split(stored, former, known, recipe.seed, recipe.held_out)
    return former


def _repeated(train: ImageSet, held_out: ImageSet) -> list[str]:
    """A line on images to measure on that are trained on, too, under whatever name."""
    trained, measured = hashed(train), hashed(held_out)
    contents = {trained.digest(index) for index in range(len(trained))}
    twice = [measured.ids[index] for index in range(len(measured)) if measured.digest(index) in contents]
    if not twice:
        return []
    return [f"images: {len(twice)} to measure on are trained on, too, so the result says too much: {some(twice)}"]


def _unlabelled(root: Path, images: ImageSet) -> list[str]:
    """A line on images in the folder that a table of labels doesn't name: they are left out."""
    named = set(images.ids)
    files = (Path(folder, name).relative_to(root).as_posix() for folder, _, names in os.walk(root) for name in names)
    left = sorted(name for name in files if is_image(name) and name not in named)
    return [f"images: {len(left):,} that the table doesn't name are left out: {some(left)}"] if left else []
