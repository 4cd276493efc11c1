"""Explanations of digits by the network that ships with densezoo, and what can't be explained."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from digit_pictures import MODEL, digit_pictures
from small_labels import small_labels

import densezoo
from densezoo.api.explanation import class_number
from densezoo.errors import ConfigError, DatasetError, ImageError, UnknownNameError


@pytest.fixture(scope="module")
def classifier() -> densezoo.Classifier:
    return densezoo.Classifier(MODEL, device="cpu", workers=0)


def test_it_explains_the_answer_of_the_classifier(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    digits = digit_pictures(tmp_path, 2)
    for index, digit in enumerate(digits):
        found = densezoo.explain(classifier, tmp_path / f"{index}.png")
        answer = classifier(tmp_path / f"{index}.png").answers[0]
        assert (found.answer.label, found.answer.name) == (digit, str(digit)) == (answer.label, answer.name)
        assert found.answer.probability == pytest.approx(answer.probability, rel=1e-4)
        assert found.pixels.shape == (8, 8)
        assert 0 <= np.min(found.heat) < np.max(found.heat) == 1
    other = densezoo.explain(classifier, found.pixels, target="3", layer="features.denseblock1")
    assert (other.answer.name, other.layer) == ("3", "features.denseblock1")
    assert other.heat.shape == (8, 8)
    assert re.fullmatch(r"<Explanation 0: 3, \d+\.\d\d %, heat of 8 x 8>", repr(other))
    assert other._repr_png_().startswith(b"\x89PNG")
    other.save(tmp_path / "e.svg")
    assert "features.denseblock1" in (tmp_path / "e.svg").read_text()


def test_of_several_labels_each_has_a_probability_of_its_own(tmp_path: Path) -> None:
    classifier = densezoo.Classifier(small_labels(tmp_path), device="cpu", workers=0)
    answers = classifier(tmp_path / "00.png", topk=3).answers
    assert sum(answer.probability for answer in answers) > 1.1
    for answer in answers:
        explained = densezoo.explain(classifier, tmp_path / "00.png", target=answer.label)
        assert explained.answer.probability == pytest.approx(answer.probability, rel=1e-4)


def test_the_heat_is_where_the_class_lies(classifier: densezoo.Classifier) -> None:
    """With the warm half of the maps taken away, the class's logit falls more than with the cold half."""
    image = densezoo.explain(classifier, np.tile(np.arange(0, 256, 32, dtype=np.uint8), (8, 1)))
    network, heat = classifier.network, torch.from_numpy(image.heat)
    pixels = torch.from_numpy(image.pixels)[None, None].float()
    mean, std, values = classifier.protocol.mean[0], classifier.protocol.std[0], classifier.protocol.value_range
    with torch.no_grad():
        maps = network.forward_features((pixels / (255 / values) - mean) / std)  # type: ignore[operator]
        warm = heat >= heat.median()
        logits = [
            float(network.forward_head(maps * mask)[0, image.answer.label])  # type: ignore[operator]
            for mask in (~warm, warm)
        ]
    assert logits[0] < logits[1]


def test_pictures_and_classes_that_there_are_not(classifier: densezoo.Classifier, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a classifier already; give checkpoint, protocol where it is made"):
        densezoo.explain(classifier, tmp_path, "a.pth", protocol="digits")
    digit_pictures(tmp_path / "in", 2)
    with pytest.raises(DatasetError, match="expected one picture to explain, found 2"):
        densezoo.explain(classifier, tmp_path / "in")
    (tmp_path / "no.png").write_bytes(b"no image")
    with pytest.raises(ImageError, match="no.png: can't be decoded"):
        densezoo.explain(classifier, tmp_path / "no.png")
    with pytest.raises(ConfigError, match="there is no class 10; expected 0 to 9, or a name"):
        densezoo.explain(classifier, tmp_path / "in/0.png", target=10)
    with pytest.raises(UnknownNameError, match="no layer 'features.denseblock9'; did you mean 'features.denseblock"):
        densezoo.explain(classifier, tmp_path / "in/0.png", layer="features.denseblock9")


def test_a_class_by_its_name_or_number() -> None:
    names = ["tench", "crane", "Great Dane", "crane", "7", "a", "b", "c"]
    assert [class_number(each, names) for each in ("Tench", "great dane ", "7", 7, "5", 1)] == [0, 2, 4, 7, 5, 1]
    with pytest.raises(ConfigError, match="classes 1, 3 are called 'crane'; give the number of one"):
        class_number("crane", names)
    with pytest.raises(UnknownNameError, match="there is no class 'tensh'; did you mean 'tench'"):
        class_number("tensh", names)
    for number in (-1, 8, "-1", "8"):
        with pytest.raises(ConfigError, match=f"there is no class {number}; expected 0 to 7, or a name"):
            class_number(number, names)
