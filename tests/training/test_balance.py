from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from densezoo.errors import DatasetError
from densezoo.training.balance import balanced_order, class_weights, label_weights

LABELS = [0] * 90 + [1] * 9 + [2]


def test_weights_are_scikit_learn_s() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=np.array(LABELS))
    weights = class_weights(LABELS, 3, "here")
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights[LABELS].mean() == pytest.approx(1)


def test_weights_of_labels() -> None:
    np.testing.assert_allclose(label_weights([(0,), (0, 1), (0,), ()], 2, "here"), [1 / 3, 3])


def test_a_class_without_images_has_no_weight() -> None:
    with pytest.raises(DatasetError, match=r"here: .* there is no image of 3 \(classes count from 0\)"):
        class_weights(LABELS, 4, "here")
    with pytest.raises(DatasetError, match="there is no image without it of 0"):
        label_weights([(0,), (0, 1)], 2, "here")


def test_each_class_comes_equally_often() -> None:
    order = balanced_order(LABELS, seed=0, epoch=0)
    labels = np.array(LABELS)[order]
    assert len(order) == len(LABELS)
    assert sorted(np.bincount(labels)) == [33, 33, 34]
    own = np.bincount(order, minlength=100)
    assert max(own[:90]) == 1  # a large class gives each image once
    assert set(own[90:99]) <= {3, 4}  # a small one its images in turns
    assert labels[:50].std() > 0  # the classes are mixed


def test_the_order_follows_from_seed_and_epoch() -> None:
    first = balanced_order(LABELS, 0, 0)
    assert np.array_equal(first, balanced_order(LABELS, 0, 0))
    assert not np.array_equal(first, balanced_order(LABELS, 0, 1))
    assert not np.array_equal(first, balanced_order(LABELS, 1, 0))
    assert not np.array_equal(balanced_order(LABELS, 1, 0), balanced_order(LABELS, 0, 1))
    assert first[:5].tolist() == [99, 92, 96, 64, 99], "a resumed run would see other images than the one that began"


def test_more_classes_than_places() -> None:
    assert sorted(balanced_order([5, 7, 9], 0, 0)) == [0, 1, 2]
