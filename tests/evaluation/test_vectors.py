from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from examples import randomise_statistics
from torch import nn

from densezoo.backends.base import create_backend
from densezoo.data.loading import Batch
from densezoo.errors import BackendError, EvaluationError, ImageError
from densezoo.evaluation.vectors import Vectors, as_features
from densezoo.families import build_model, family_of
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.protocols import get_protocol
from densezoo.types import Architecture

DENSENET = DenseNetArchitecture(
    growth_rate=4, num_init_features=8, block_config=(2, 1), num_classes=3, in_chans=1, stem="cifar"
)
RDNET = RDNetArchitecture(
    num_init_features=16, growth_rates=(8, 8), block_config=(1, 1), downsample=(1,), attention=(), num_classes=3
)


@pytest.mark.parametrize("arch", [DENSENET, RDNET], ids=["densenet", "rdnet"])
@torch.inference_mode()
def test_the_classifier_of_the_features_is_the_network(arch: Architecture) -> None:
    network = randomise_statistics(build_model(arch, "densezoo"))
    pooled, changed = as_features(network, arch)
    images = torch.randn(2, arch.in_chans, 64, 64, generator=torch.Generator().manual_seed(1))
    features, logits = pooled(images), network(images)
    assert features.shape == (2, changed.num_classes)
    layer = next(layer for layer in family_of(arch).layers(arch) if layer.role == "classifier")
    classifier = network.get_submodule(layer.name)
    assert isinstance(classifier, nn.Linear)
    torch.testing.assert_close(classifier(features), logits)
    given: list[torch.Tensor] = []
    classifier.register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    network(images)
    assert torch.equal(given[0], features), "bit for bit what the classifier is given"


@torch.inference_mode()
def test_every_backend_computes_them() -> None:
    pooled, changed = as_features(randomise_statistics(build_model(DENSENET, "densezoo")), DENSENET)
    pixels = torch.randint(0, 256, (3, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    eager = create_backend("eager", pooled, changed, get_protocol("digits"), "cpu", "float32")
    try:
        native = create_backend("native", pooled, changed, get_protocol("digits"), "cpu", "float32")
    except BackendError as error:
        pytest.skip(str(error))
    torch.testing.assert_close(native(pixels), eager(pixels), rtol=1e-5, atol=1e-5)


def test_an_image_that_cannot_be_read_has_none() -> None:
    batch = Batch(
        torch.tensor([1, 0]), torch.zeros(1, 1, 1, 1), torch.zeros(2), {0: ImageError("b: broken")}, torch.zeros(2)
    )
    first, second = Vectors(["a", "b"])([lambda: torch.tensor([[1.0, 2.0]])], [batch])
    assert (first.image, first.features, second.image) == ("b", None, "a")
    assert np.array_equal(np.asarray(second.features), [1.0, 2.0])
    with pytest.raises(EvaluationError, match="NaN or infinity"):
        Vectors(["a", "b"])([lambda: torch.tensor([[1.0, math.nan]])], [batch])
