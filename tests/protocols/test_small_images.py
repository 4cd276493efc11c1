"""Small images: the figures of the authors' Lua files and of others, spelled out; digits' are computed."""

from __future__ import annotations

import numpy as np
import pytest

from densezoo.data.datasets import open_dataset
from densezoo.protocols import get_protocol, small_images

#: {name: (mean, std, what a pixel of 255 is)}
FIGURES = {
    "cifar10": ((125.3, 123.0, 113.9), (63.0, 62.1, 66.7), 255.0),
    "cifar100": ((129.3, 124.1, 112.4), (68.2, 65.4, 70.4), 255.0),
    "cifar-dice": ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), 1.0),
    "cifar-huyvnphan": ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616), 1.0),
    "cifar-hysts": ((0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616), 1.0),
    "cifar100-detectors": ((0.5071, 0.4867, 0.4408), (0.2675, 0.2565, 0.2761), 1.0),
    "svhn-detectors": ((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970), 1.0),
    "svhn": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0),
    "none": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1.0),
    "digits": ((0.3075,), (0.3770,), 1.0),
}


@pytest.mark.parametrize("name", FIGURES)
def test_figures(name: str) -> None:
    protocol = get_protocol(name)
    assert (protocol.mean, protocol.std, protocol.value_range) == FIGURES[name]
    assert protocol.channel_order == ("L" if name == "digits" else "RGB")


def test_none_is_resized_or_cropped() -> None:
    assert set(FIGURES) == {protocol.name for protocol in small_images.PROTOCOLS}
    assert {(protocol.resize, protocol.crop) for protocol in small_images.PROTOCOLS} == {(None, None)}


def test_digits_are_the_training_half_s_mean_and_deviation() -> None:
    images = open_dataset("digits", None, "train")
    pixels = np.stack([np.asarray(images.read(i)) for i in range(len(images))]) / 255
    (mean,), (std,) = get_protocol("digits").mean, get_protocol("digits").std
    assert mean == pytest.approx(pixels.mean(), abs=5e-5)
    assert std == pytest.approx(pixels.std(), abs=5e-5)
