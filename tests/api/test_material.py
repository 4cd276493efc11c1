from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from densezoo import api
from densezoo.api.material import open_material
from densezoo.api.training import training_images
from densezoo.config import load_config
from densezoo.data.split import FILE, store_split
from densezoo.errors import ConfigError, DatasetError
from densezoo.families import build_model
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import stated_facts
from densezoo.types import Experiment


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """folder("cat/1.png", ...) -> a folder of these grey images of 8x8, each another one."""

    def make(*names: str) -> Path:
        for i, name in enumerate(names):
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            pixels = np.random.default_rng(i).integers(0, 256, (8, 8), dtype=np.uint8)
            Image.fromarray(pixels).save(path)
        return tmp_path / "images"

    return make


def own(**fields: Any) -> Experiment:
    experiment = load_config(api.DEMO[0], {"model.growth_rate": 4, "model.block_config": (1, 1)})
    assert experiment.train is not None
    recipe = dataclasses.replace(experiment.train, **fields)
    return dataclasses.replace(experiment, dataset="imagefolder", train=recipe)


TEN = [f"{name}/{i}.png" for name in ("cat", "dog") for i in range(5)]


def test_a_dataset_says_which_images() -> None:
    material = open_material(load_config(api.DEMO[0]), None)
    assert (len(material.train), len(material.held_out)) == (898, 899)
    assert material.class_names is None
    assert material.class_weights() is None
    with pytest.raises(ConfigError, match="label_table is for dataset 'imagefolder', found 'digits'"):
        open_material(dataclasses.replace(own(label_table="x.csv"), dataset="digits"), None)


def test_class_folders_are_split_and_the_split_is_kept(folder: Callable[..., Path], tmp_path: Path) -> None:
    root, stored = folder(*TEN), tmp_path / "work" / FILE
    material = open_material(own(), root, stored)
    assert material.class_names == ("cat", "dog")
    assert material.experiment.model.num_classes == 2
    assert sorted(material.train.labels) == [0] * 4 + [1] * 4
    assert material.held_out.labels == [0, 1]
    assert material.said == ("classes: 2: cat, dog", "images: 8 to train on, 2 to measure on, drawn")
    assert material.split is not None
    store_split(stored, material.split)
    assert open_material(own(), root, stored).held_out.ids == material.held_out.ids
    Image.new("L", (8, 8)).save(root / "cat/9.png")
    with pytest.raises(DatasetError, match="cat/9.png was added since"):
        open_material(own(), root, stored)
    assert len(open_material(own(), root, None).train) == 9


def test_a_class_folder_without_images_is_refused(folder: Callable[..., Path]) -> None:
    """Else the network would have no such class, and nothing would say so."""
    root = folder(*TEN)
    (root / "emu").mkdir()
    (root / ".cache").mkdir()
    with pytest.raises(
        DatasetError, match="images: no image is in emu; add images of that class, or remove the folder"
    ):
        open_material(own(), root)
    (root / "emu").rmdir()
    for name in ("train", "val"):
        (root / name).mkdir()
    for name in ("cat", "dog"):
        (root / name).rename(root / "train" / name)
    (root / "train/emu").mkdir()
    with pytest.raises(DatasetError, match="images/train: no image is in emu"):
        open_material(own(), root)


def test_train_and_val_as_they_are(folder: Callable[..., Path]) -> None:
    """A class that val/ lacks changes no label; test/ is left for later."""
    root = folder("train/ant/1.png", "train/bee/1.png", "train/cow/1.png", "val/cow/1.png", "test/bee/1.png")
    material = open_material(own(), root)
    assert material.class_names == ("ant", "bee", "cow")
    assert material.train.labels == [0, 1, 2]
    assert material.held_out.labels == [2]
    assert material.split is None


def test_an_image_on_both_sides_is_said(folder: Callable[..., Path]) -> None:
    root = folder("train/ant/1.png", "train/bee/1.png", "val/bee/1.png")
    (root / "val/bee/2.png").write_bytes((root / "train/bee/1.png").read_bytes())
    assert "images: 1 to measure on are trained on, too, so the result says too much: bee/2.png" in [
        *open_material(own(), root).said
    ]


def test_a_class_that_is_measured_and_not_trained(folder: Callable[..., Path]) -> None:
    root = folder("train/ant/1.png", "train/bee/1.png", "val/cow/1.png")
    with pytest.raises(DatasetError, match="the class folders cow are none of the network's 2 classes"):
        open_material(own(), root)


def test_images_of_one_class_alone(folder: Callable[..., Path]) -> None:
    """A folder too high or too low gives such; a network of one class is always right."""
    with pytest.raises(DatasetError, match="all images are of one class, cat; expected a folder of <class>/<file>"):
        open_material(own(), folder(*TEN[:5]))


def test_weights_of_classes(folder: Callable[..., Path]) -> None:
    root = folder(*TEN, *[f"cat/{i}.png" for i in range(5, 15)])
    weights = open_material(own(class_weights="balanced"), root).class_weights()
    assert weights is not None
    assert weights.tolist() == pytest.approx([16 / (2 * 12), 16 / (2 * 4)])


def test_several_labels_an_image(folder: Callable[..., Path]) -> None:
    root = folder(*[f"{i}.png" for i in range(20)])
    lines = [f"{i}.png,{int(i % 2)},{int(i % 4 < 2)},0" for i in range(20)]
    (root / "labels.csv").write_text("\n".join(["file,odd,low,none", *lines]))
    experiment = own(label_table="labels.csv", loss="bce", held_out=0.4)
    material = open_material(experiment, root)
    assert material.class_names == ("odd", "low", "none")
    assert (len(material.train), len(material.held_out)) == (12, 8)
    assert material.said[2] == "not measured: none: 0 images have it, 8 have not"
    measures = material.measuring("cpu")(build_model(material.experiment.model))
    assert list(measures) == ["auc", "auc odd", "auc odd low", "auc odd high", "auc low", "auc low low", "auc low high"]
    with pytest.raises(DatasetError, match="images to train on that have each label, found none that has 'none'; add"):
        training_images(material)
    (root / "labels.csv").write_text("\n".join(["file,odd,low,none", *lines[:-2]]))
    assert "images: 2 that the table doesn't name are left out: 18.png, 19.png" in open_material(experiment, root).said
    weighted = dataclasses.replace(experiment.train, class_weights="balanced")  # type: ignore[type-var]
    with pytest.raises(DatasetError, match="there is no image with it of 2"):
        open_material(dataclasses.replace(experiment, train=weighted), root).class_weights()


def test_a_table_may_name_train_and_val(folder: Callable[..., Path]) -> None:
    root = folder("train/1.png", "train/2.png", "val/1.png", "val/2.png", "test/1.png")
    rows = ["file,x", "train/1.png,1", "train/2.png,0", "val/1.png,1", "val/2.png,0", "test/1.png,1"]
    (root.parent / "labels.csv").write_text("\n".join(rows))
    material = open_material(own(label_table=str(root.parent / "labels.csv")), root)
    assert material.train.ids == ["train/1.png", "train/2.png"]
    assert material.held_out.ids == ["val/1.png", "val/2.png"]


def test_what_is_measured_of_one_class_an_image(folder: Callable[..., Path]) -> None:
    material = open_material(own(), folder(*TEN))
    assert material.measuring("cpu")(build_model(material.experiment.model)).keys() == {"top1", "top5"}


@pytest.mark.parametrize(("share", "root"), [(0.0, "."), (1.0, "."), (0.5, None)])
def test_what_can_t_be(share: float, root: str | None) -> None:
    with pytest.raises((ConfigError, DatasetError), match="train.held_out is|needs --data-root"):
        open_material(own(held_out=share), root)
    with pytest.raises(DatasetError, match="nowhere: there is no such folder; --data-root must be a folder of <class>"):
        open_material(own(), "nowhere")


def test_fine_tuning_writes_a_file_that_needs_nothing_else(folder: Callable[..., Path], tmp_path: Path) -> None:
    """The shipped network on other classes: a frozen stage stays, and the file says classes, protocol and origin."""
    root = folder(*TEN)
    start = {
        "weights": str(api.DEMO[1]),
        "freeze": ("stem", "block1", "transition1"),
        "lr_scales": {"classifier": 10.0},
    }
    overrides = {"dataset": "imagefolder", "train.start": start, "train.epochs": 1, "train.batch_size": 4}
    overrides |= {"train.lr": 0.01, "train.class_weights": "balanced", "train.augmentation": "none"}
    options: Any = {"work_dir": tmp_path / "run", "workers": 0, "device": "cpu", "overrides": overrides}
    path = api.train_config(api.DEMO[0], data_root=root, **options)
    before, after = api.load_checkpoint(api.DEMO[1])[0].state_dict(), api.load_checkpoint(path)[0].state_dict()
    still = {name for name, tensor in after.items() if tensor.equal(before[name])}
    prefixes = ("features.conv0", "features.denseblock1", "features.transition1")
    assert still == {name for name in after if name.startswith(prefixes)}
    facts = stated_facts(path, read_checkpoint(path).metadata)
    assert facts["class_names"] == ["cat", "dog"]
    assert facts["started_from"]["model"] == "densenet_bc_22_8.densezoo_digits"  # type: ignore[index]
    assert after["classifier.weight"].shape[0] == 2
    split = json.loads((tmp_path / "run" / FILE).read_text())
    assert len(split["test"]) == 2
    result = api.evaluate_checkpoint(None, path, data_root=root)
    assert (result.protocol, result.num_samples) == ("digits", 10)


def test_training_several_labels_an_image(folder: Callable[..., Path], tmp_path: Path) -> None:
    """The best weights are chosen by the area; the log has each label's, with its interval."""
    root = folder(*[f"{i}.png" for i in range(20)])
    lines = [f"{i}.png,{i % 2},{int(i % 4 < 2)}" for i in range(20)]
    (root / "labels.csv").write_text("\n".join(["file,odd,low", *lines]))
    overrides = {"dataset": "imagefolder", "model.growth_rate": 4, "model.block_config": (1, 1), "train.epochs": 1}
    overrides |= {"train.label_table": "labels.csv", "train.loss": "bce", "train.batch_size": 8}
    overrides |= {"train.patience": 1, "train.class_weights": "balanced", "train.augmentation": "none"}
    options: Any = {"work_dir": tmp_path / "run", "workers": 0, "device": "cpu", "overrides": overrides}
    path = api.train_config(api.DEMO[0], data_root=root, **options)
    facts = stated_facts(path, read_checkpoint(path).metadata)
    assert (facts["multi_label"], facts["class_names"]) == (True, ["odd", "low"])
    told = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert any("auc odd low" in str(line) for line in told)
