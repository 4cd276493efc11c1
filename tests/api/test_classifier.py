"""A network that answers for images, held to the evaluator's own answers."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from digit_pictures import MODEL, digit_pictures
from PIL import Image
from small_run import small_run

import densezoo
from densezoo import api
from densezoo.data.datasets import open_dataset
from densezoo.data.layouts.given import named_images
from densezoo.errors import ConfigError, ImageError
from densezoo.evaluation.predictions import read_predictions
from densezoo.formats.safetensors import write_safetensors
from densezoo.protocols import PROTOCOLS
from densezoo.protocols.own import as_own


@pytest.fixture(scope="module")
def classifier() -> densezoo.Classifier:
    return densezoo.Classifier(MODEL, device="cpu", workers=0)


def test_it_answers_as_the_evaluation_does(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    api.evaluate_protocols(*api.DEMO, workers=0, device="cpu", predictions=path)
    ((_, records),) = list(read_predictions(path).parts())
    images = open_dataset("digits", None)
    found = list(classifier.predict(images))
    assert len(found) == len(images) == len(records)
    for prediction, record in zip(found, records):
        assert [answer.label for answer in prediction.answers] == record["classes"].tolist()
        assert [answer.probability for answer in prediction.answers] == pytest.approx(record["probabilities"].tolist())
        assert prediction.name == str(prediction.label)


def test_one_image_or_several(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    digits = digit_pictures(tmp_path, 3)
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    pictures = [Image.open(io.BytesIO(path.read_bytes())) for path in paths]
    pixels = [np.asarray(picture) for picture in pictures]
    assert [classifier(path).label for path in paths] == digits
    one = classifier(str(paths[0]), topk=2)
    assert len(one.answers) == 2
    assert one.image == str(paths[0])
    expected = [classifier(path).answers for path in paths]
    batch = np.stack(pixels)[..., None]
    tensors = torch.from_numpy(batch).permute(0, 3, 1, 2)
    mixed = [paths[0].read_bytes(), pictures[1], pixels[2]]
    ways: tuple[Any, ...] = (paths, tmp_path, pixels, batch, tensors, mixed)
    for several in ways:
        found = classifier(several)
        assert isinstance(found, list)
        assert [each.answers for each in found] == expected


def test_a_photograph_is_nothing_for_a_network_of_small_images(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    Image.new("RGB", (300, 200)).save(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"a\.png: has 300 x 200 pixels; protocol digits takes images of 8 x 8"):
        classifier(tmp_path / "a.png")


def test_an_unreadable_image_is_an_error_or_skipped(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    digits = digit_pictures(tmp_path, 3)
    (tmp_path / "1.png").write_bytes(b"no image")
    images = named_images([tmp_path])
    with pytest.raises(ImageError, match=r"1\.png: can't be decoded"):
        list(classifier.predict(images))
    found = list(classifier.predict(images, on_error="skip"))
    assert [each.error is None for each in found] == [True, False, True]
    assert (found[0].label, found[2].label) == (digits[0], digits[2])


def test_no_answer_at_all_is_nothing_to_ask_for(classifier: densezoo.Classifier) -> None:
    with pytest.raises(ConfigError, match="topk: expected 1 or more answers an image, found 0"):
        classifier(np.zeros((8, 8), np.uint8), topk=0)


def test_it_says_what_it_is(classifier: densezoo.Classifier) -> None:
    assert repr(classifier) == f"<Classifier {MODEL}, 10 classes, protocol digits>"
    assert classifier.facts.weights_sha256 == densezoo.get_spec(MODEL).weights[0].sha256
    assert classifier.facts.dataset == ""


def test_a_config_with_its_checkpoint_and_class_names(tmp_path: Path) -> None:
    small_run(tmp_path)
    (tmp_path / "names.txt").write_text("cat\ndog\n\nship\n")
    for given in (tmp_path / "names.txt", ["cat", "dog", "ship"]):
        made = densezoo.Classifier(tmp_path / "small.py", tmp_path / "small.safetensors", class_names=given, workers=0)
        assert list(made.class_names) == ["cat", "dog", "ship"]
    assert made(tmp_path / "val/a/0.png").name in ("cat", "dog", "ship")
    assert densezoo.Classifier(tmp_path / "small.py", tmp_path / "small.safetensors").class_names == ("0", "1", "2")


def test_a_file_alone_says_what_it_holds(tmp_path: Path) -> None:
    small_run(tmp_path)
    network, report = densezoo.load_checkpoint(tmp_path / "small.safetensors")
    facts = {"architecture": vars(report.architecture), "protocol": "torchvision", "class_names": ["a", "b", "c"]}
    write_safetensors(tmp_path / "alone.safetensors", network.state_dict(), facts)
    made = densezoo.Classifier(tmp_path / "alone.safetensors", workers=0)
    assert made.class_names == ("a", "b", "c")
    assert made.protocol.name == "torchvision"
    found = made(tmp_path / "val/a/0.png")
    expected = densezoo.Classifier(tmp_path / "small.py", tmp_path / "small.safetensors", workers=0, backend="eager")
    assert [a.label for a in found.answers] == [a.label for a in expected(tmp_path / "val/a/0.png").answers]


def test_several_right_answers_and_a_protocol_of_one_s_own_stand_in_the_file(tmp_path: Path) -> None:
    small_run(tmp_path)
    network, report = densezoo.load_checkpoint(tmp_path / "small.safetensors")
    own = dataclasses.asdict(as_own(dataclasses.replace(PROTOCOLS["timm"], name="mine", resize=40, crop=32)))
    facts = {"architecture": vars(report.architecture), "protocol": own, "multi_label": True}
    write_safetensors(tmp_path / "alone.safetensors", network.state_dict(), facts)
    made = densezoo.Classifier(tmp_path / "alone.safetensors", workers=0)
    assert made.protocol.name == own["name"]
    assert made.facts.own_protocol is not None
    found = made(tmp_path / "val/a/0.png")
    assert abs(sum(answer.probability for answer in found.answers) - 1) > 0.01, "each class has its own"


def test_names_that_are_too_few() -> None:
    with pytest.raises(ConfigError, match="expected 10 class names, one an output, found 1"):
        densezoo.Classifier(MODEL, class_names=["a"])
