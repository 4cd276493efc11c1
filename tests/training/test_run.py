from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from densezoo import api
from densezoo.data.datasets import open_dataset
from densezoo.data.preprocess import normalise
from densezoo.errors import ConfigError, TrainingError
from densezoo.formats.identity import file_sha256
from densezoo.protocols import get_protocol
from densezoo.training.data import Augmentation, TrainingImages, augmentation
from densezoo.training.run import _schedule
from densezoo.types import Recipe

CONFIG = api.DEMO[0]
SHORT = {"train.epochs": 2, "model.growth_rate": 4, "model.block_config": (1, 1, 1)}


def test_two_epochs_learn_and_give_the_same_file_twice(tmp_path: Path) -> None:
    paths = [
        api.train_config(CONFIG, work_dir=tmp_path / name, workers=0, device="cpu", overrides=SHORT) for name in "ab"
    ]
    assert paths[0] == tmp_path / "a" / "densenet_bc_22_8_digits.safetensors"
    assert file_sha256(paths[0]) == file_sha256(paths[1])
    result = api.evaluate_checkpoint(CONFIG, paths[0], workers=0, device="cpu", overrides=SHORT)
    assert result.top1 > 30  # chance is 10
    assert result.model.startswith(f"densenet_bc_22_8_digits.{file_sha256(paths[0])[:8]}-")
    assert "top1" in next((tmp_path / "a").glob("*/*.log")).read_text()


def test_a_lost_loss_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at iteration \d+; lower train.lr"):
        api.train_config(CONFIG, work_dir=tmp_path, workers=0, device="cpu", overrides={**SHORT, "train.lr": 1e9})
    assert not list(tmp_path.glob("*.safetensors"))


def test_a_config_for_evaluation_only(tmp_path: Path) -> None:
    path = tmp_path / "digits.py"
    path.write_text('model = dict(in_chans=1, num_classes=10)\ndataset = "digits"\nprotocol = "digits"\n')
    with pytest.raises(ConfigError, match="has no 'train' entry"):
        api.train_config(path)


def test_the_authors_schedules() -> None:
    steps = _schedule(Recipe(epochs=90, batch_size=256, milestones=(30, 60)), iterations=10)
    assert steps == [{"type": "MultiStepLR", "milestones": [30, 60], "gamma": 0.1}]
    (cosine,) = _schedule(Recipe(epochs=100, batch_size=256), iterations=10)
    assert (cosine["type"], cosine["T_max"], cosine["by_epoch"]) == ("CosineAnnealingLR", 1000, False)


def test_padding_is_zero_after_normalisation() -> None:
    """The authors pad the normalised image: zeros there are the mean colour."""
    ones = torch.ones(3, 32, 32)
    augment = augmentation("pad_crop_flip", None).on_floats
    assert augment is not None
    torch.manual_seed(0)
    images = [augment(ones) for _ in range(50)]
    assert all(image.shape == (3, 32, 32) for image in images)
    assert {value for image in images for value in image.unique().tolist()} == {0.0, 1.0}
    lost = {32 - int(image[0].amax(1).sum()) for image in images}  # rows that are padding, 0 to 4
    assert lost <= set(range(5))
    assert len(lost) > 2


def test_a_mirror_is_drawn_half_of_the_time() -> None:
    ramp = torch.arange(32.0).expand(1, 32, 32) + 1
    augment = augmentation("pad_crop_flip", None).on_floats
    assert augment is not None
    torch.manual_seed(0)
    mirrored = sum(bool(image[0, 16, 10] > image[0, 16, 20]) for image in (augment(ramp) for _ in range(200)))
    assert 60 < mirrored < 140


def test_without_augmentation_an_image_is_what_evaluation_sees() -> None:
    images, protocol = open_dataset("digits", None, "train"), get_protocol("digits")
    floats, label = TrainingImages(images, protocol, augmentation("none", None))[5]
    assert label == images.labels[5]
    assert torch.equal(floats, normalise(torch.from_numpy(images.read(5))[None], protocol))


def test_imagenet_crops(random_image: Callable[..., Image.Image]) -> None:
    augment: Augmentation = augmentation("resized_crop_flip", 224)
    assert augment.on_image is not None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert augment.on_image(random_image(300, 260)).size == (224, 224)
    with pytest.raises(ConfigError, match="'resized_crop_flip' needs a protocol with a crop"):
        augmentation("resized_crop_flip", None)
