from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.index.load import get_spec
from densezoo.types import Accuracy


def test_dataset_and_protocol() -> None:
    plus = get_spec("densenet_bc_100_12.lua_cifar10plus")
    published = Accuracy(plus, plus.reported[0])
    assert (published.dataset, published.protocol, published.label) == ("cifar10", "cifar10", "cifar10")
    assert (Accuracy(plus).dataset, Accuracy(plus).protocol) == (None, "cifar10")
    measured = Accuracy(plus, None, example_result(tta="flip"))
    assert (measured.dataset, measured.protocol, measured.label) == ("imagenet1k", "torchvision", "torchvision+flip")


def test_a_published_figure_of_several_views_or_of_a_protocol_that_nobody_knows() -> None:
    spec = get_spec("densenet121.lua_in1k")
    several = dataclasses.replace(spec.reported[0], tta="ten-crop")
    assert Accuracy(spec, several).label == "torch7+ten-crop"
    assert Accuracy(spec, dataclasses.replace(several, protocol=None, tta=None)).label == "not known"
