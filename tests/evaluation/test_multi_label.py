from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from densezoo import protocols
from densezoo.data.images import ArrayImages
from densezoo.errors import DatasetError, EvaluationError
from densezoo.evaluation import distributed
from densezoo.evaluation.multi_label import check_measurable, label_areas, label_measures, label_scores, mean_area
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import LabelAuc

ARCH = DenseNetArchitecture(
    stem="cifar", growth_rate=4, block_config=(1, 1), num_init_features=4, in_chans=1, num_classes=3
)
SETS = [(0,), (0, 1), (1,), (), (0,)]


def images(sets: list[tuple[int, ...]]) -> ArrayImages:
    pixels = np.random.default_rng(0).integers(0, 256, (len(sets), 8, 8), dtype=np.uint8)
    return ArrayImages("here", [str(i) for i in range(len(sets))], [0] * len(sets), pixels, label_sets=sets)


def test_scores_are_the_network_s_logits() -> None:
    network, own = build_model(ARCH).eval(), images(SETS)
    scores = label_scores(network, own, protocols.get_protocol("digits"), ARCH, "cpu", batch_size=2)
    with torch.inference_mode():
        inputs = (torch.from_numpy(own.pixels)[:, None] / 255 - 0.3075) / 0.3770
        np.testing.assert_allclose(scores, network(inputs), rtol=1e-4, atol=1e-5)


def test_each_process_has_the_scores_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    network, own = build_model(ARCH).eval(), images(SETS)
    given = own, protocols.get_protocol("digits"), ARCH, "cpu", 2
    alone = label_scores(network, *given)
    others = range(1, 5, 2), torch.from_numpy(alone[1::2])
    monkeypatch.setattr(distributed, "shard", lambda number: range(0, number, 2))
    monkeypatch.setattr(distributed, "gather", lambda part: [part, others])
    np.testing.assert_allclose(label_scores(network, *given), alone, rtol=1e-5)


def test_a_broken_network() -> None:
    network = build_model(ARCH)
    torch.nn.init.constant_(network.get_parameter("classifier.bias"), float("nan"))
    with pytest.raises(EvaluationError, match="NaN"):
        label_scores(network, images(SETS), protocols.get_protocol("digits"), ARCH, "cpu", 2)


def test_each_label_has_its_area() -> None:
    """A label that no image has is left out of the mean."""
    scores = np.array([[0.9, 0.1, 0.0], [0.3, 0.2, 0.0], [0.5, 0.4, 0.0], [0.1, 0.3, 0.0], [0.4, 0.3, 0.0]])
    measures = label_measures(scores, SETS, ("cat", "dog", "eel"))
    cat = roc_auc_score([1, 1, 0, 0, 1], scores[:, 0])
    dog = roc_auc_score([0, 1, 1, 0, 0], scores[:, 1])
    assert next(iter(measures)) == "auc", "the best weights are chosen by the first measure"
    assert measures["auc"] == pytest.approx((cat + dog) / 2)
    assert (measures["auc cat"], measures["auc dog"]) == pytest.approx((cat, dog))
    assert measures["auc cat low"] < cat < measures["auc cat high"]
    assert "auc eel" not in measures
    labels = label_areas(scores, SETS, ("cat", "dog", "eel"))
    assert [(label.positives, label.negatives) for label in labels] == [(3, 2), (2, 3), (0, 5)]


def test_labels_that_can_t_be_measured() -> None:
    assert check_measurable(images(SETS), ("cat", "dog", "eel")) == {"eel": (0, 5)}
    with pytest.raises(DatasetError, match="here: none of the labels cat, dog tells the 2 images"):
        check_measurable(images([(0,), (0,)]), ("cat", "dog"))


def test_the_mean_is_of_the_areas_that_there_are() -> None:
    """One of nothing but wrong answers, 0, counts."""
    areas = (0.0, None, 1.0)
    assert mean_area([LabelAuc(name, 1, 1, area, None) for name, area in zip("abc", areas)]) == 0.5
    assert mean_area([LabelAuc("a", 0, 2, None, None)]) is None
