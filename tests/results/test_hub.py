"""A card as huggingface.co reads it."""

from __future__ import annotations

import pytest
from huggingface_hub import ModelCard, ModelCardData

from densezoo.api.cards import model_card
from densezoo.index.load import get_spec
from densezoo.results.hub import hub_card

NAMES = ["densenet121.tv_in1k", "densenet_bc_100_12.dice_cifar10", "densenet264d.untrained", "rdnet_tiny.nv_in1k"]


def read(name: str) -> ModelCardData:
    """The card's metadata as huggingface_hub parses them, errors included."""
    data = ModelCard(model_card(name, hub=True), ignore_metadata_errors=False).data
    assert isinstance(data, ModelCardData)
    return data


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_s_own_package_reads_every_figure(name: str) -> None:
    data, spec = read(name), get_spec(name)
    figures = sorted(value for result in spec.reported for value in (result.top1, result.top5) if value is not None)
    assert sorted(entry.metric_value for entry in data.eval_results or ()) == figures
    assert data.pipeline_tag == "image-classification"
    assert data.license == (spec.license or "other").lower()


def test_a_figure_says_dataset_protocol_and_who_published_it() -> None:
    entry = next(entry for entry in read("densenet121.tv_in1k").eval_results or () if entry.metric_value == 74.434)
    assert (entry.dataset_type, entry.dataset_name, entry.dataset_config) == (
        "imagenet-1k",
        "ImageNet-1k",
        "torchvision",
    )
    assert (entry.metric_name, entry.metric_type, entry.source_name) == ("Top 1 Accuracy", "accuracy", "torchvision")


def test_what_the_hub_has_not_is_left_out() -> None:
    text = "![a bar](a.svg)\nsee [all](../weights/a.md) and [the paper](https://arxiv.org/abs/1608.06993)\n"
    card = hub_card(get_spec(NAMES[0]), text)
    assert card.endswith("---\n\nsee all and [the paper](https://arxiv.org/abs/1608.06993)\n")
