from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from digit_pictures import MODEL, digit_pictures

import densezoo
from densezoo.data.layouts.given import named_images
from densezoo.errors import ImageError


def test_the_network_s_classifier_turns_its_vectors_into_its_answers(tmp_path: Path) -> None:
    digits = digit_pictures(tmp_path, 4)
    extractor = densezoo.FeatureExtractor(MODEL, workers=0, device="cpu")
    vectors = list(extractor.vectors(named_images([tmp_path])))
    assert [vector.image for vector in vectors] == [str(tmp_path / f"{i}.png") for i in range(4)]
    network = densezoo.Classifier(MODEL, workers=0).network
    weight, bias = (network.state_dict()[f"classifier.{name}"].numpy() for name in ("weight", "bias"))
    stacked = np.stack([vector.features for vector in vectors if vector.features is not None])
    assert np.argmax(stacked @ weight.T + bias, axis=1).tolist() == digits


def test_an_image_that_cannot_be_read(tmp_path: Path) -> None:
    digit_pictures(tmp_path, 2)
    (tmp_path / "0.png").write_bytes(b"")
    extractor = densezoo.FeatureExtractor(MODEL, workers=0)
    with pytest.raises(ImageError, match=r"0\.png"):
        list(extractor.vectors(named_images([tmp_path])))
    assert [each.features is None for each in extractor.vectors(named_images([tmp_path]), "skip")] == [True, False]
