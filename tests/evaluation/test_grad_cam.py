"""Grad-CAM against its formula computed another way, by forward differences, and against pytorch-grad-cam."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch
from examples import randomise_statistics
from numpy.typing import NDArray
from torch import Tensor, nn

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.evaluation.grad_cam import grad_cam, layers_with_maps
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.types import Architecture

ARCHS: dict[str, Architecture] = {
    "densenet": DenseNetArchitecture(4, (1, 2), 8, stem="cifar", num_classes=5),
    "rdnet": RDNetArchitecture(
        growth_rates=(8, 8), block_config=(1, 1), num_init_features=8, downsample=(1,), attention=(1,), num_classes=5
    ),
}
LAYERS = {
    "densenet": ["features.conv0", "features.denseblock1", "features.denseblock2.denselayer2.norm1", "features.norm5"],
    "rdnet": ["stem", "dense_stages.1", "dense_stages.1.2.dense_block0.layers.layers.0"],
}


def a_network(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    network = build_model(ARCHS[name]).double()
    randomise_statistics(network)
    for parameter in network.parameters():
        if parameter.ndim == 1:
            torch.nn.init.uniform_(parameter, 0.3, 1.0)
    return network.eval(), torch.randn(1, 3, 16, 16, dtype=torch.double)


def by_differences(network: nn.Module, image: Tensor, layer: str, label: int) -> Tensor:
    """The formula with a map's mean gradient taken by moving the whole map: (y(A + e) - y(A - e)) / (2 e pixels)."""
    module, kept = network.get_submodule(layer), list[Tensor]()

    def logit(channel: int, shift: float) -> float:
        def move(_: nn.Module, __: object, output: Tensor) -> Tensor:
            kept[:] = [output.clone()]
            moved = output.clone()
            moved[:, channel] += shift
            return moved

        handle = module.register_forward_hook(move)
        with torch.no_grad():
            answer = float(network(image)[0, label])
        handle.remove()
        return answer

    logit(0, 0.0)
    maps, step = kept[0][0], 1e-6
    slopes = [(logit(k, step) - logit(k, -step)) / (2 * step) / maps[0].numel() for k in range(len(maps))]
    heat = sum(slope * each for slope, each in zip(slopes, maps))
    assert isinstance(heat, Tensor)
    heat = heat.clamp(min=0)
    return heat / heat.max()


@pytest.mark.parametrize(("name", "layer"), [(name, layer) for name in LAYERS for layer in LAYERS[name]])
def test_it_is_the_formula(name: str, layer: str) -> None:
    network, image = a_network(name)
    for label in (0, 3):
        heat, logits = grad_cam(network, image, layer, label)
        expected = by_differences(network, image, layer, label)
        assert heat.shape == expected.shape
        assert torch.equal(logits, network(image)[0])
        if torch.isfinite(expected).all():
            torch.testing.assert_close(heat, expected, rtol=1e-4, atol=1e-5)
            assert float(heat.max()) == 1.0
        else:
            assert not heat.any()


@pytest.mark.parametrize("name", ARCHS)
def test_the_last_maps_of_a_network_with_a_linear_head(name: str) -> None:
    """Before mean and classifier alone, Grad-CAM is Zhou's CAM: the classifier's weights over the maps."""
    network, image = a_network(name)
    heat, logits = grad_cam(network, image)
    assert torch.equal(logits, network(image)[0])
    assert 0 <= float(heat.min()) < float(heat.max()) == 1
    if name == "densenet":
        maps = network.forward_features(image)[0]  # type: ignore[operator]
        rows = network.classifier.weight[int(logits.argmax())]  # type: ignore[union-attr, index]
        expected = torch.einsum("k,khw->hw", rows, maps).relu()
        torch.testing.assert_close(heat, expected / expected.max())


def spread(heat: NDArray[Any]) -> NDArray[Any]:
    """From 0 to 1, as theirs is before and after it is enlarged."""
    above = heat - heat.min()
    spread: NDArray[Any] = above / max(above.max(), 1e-7)
    return spread


def test_pytorch_grad_cam_agrees() -> None:
    package = pytest.importorskip("pytorch_grad_cam", reason="grad-cam is not installed")
    targets = pytest.importorskip("pytorch_grad_cam.utils.model_targets")
    network, image = a_network("densenet")
    for layer in ("features.denseblock1", "features.denseblock2"):
        for label in range(5):
            with package.GradCAM(network, [network.get_submodule(layer)]) as theirs:
                expected = theirs(image, [targets.ClassifierOutputTarget(label)])[0]
            heat, _ = grad_cam(network, image, layer, label)
            ours = spread(cv2.resize(spread(heat.numpy()), (16, 16)))
            np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_nothing_of_the_network_is_changed() -> None:
    network, image = a_network("densenet")
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    before = network(image)
    with torch.no_grad():
        grad_cam(network, image, "features.norm5", 1)
    assert torch.equal(network(image), before)
    assert not any(module._forward_hooks for module in network.modules())
    assert not any(parameter.grad is not None for parameter in network.parameters())


def test_layers_and_classes_that_there_are_not() -> None:
    network, image = a_network("densenet")
    with pytest.raises(UnknownNameError, match="no layer 'features.denseblock3'; did you mean 'features.denseblock"):
        grad_cam(network, image, "features.denseblock3")
    with pytest.raises(UnknownNameError, match="no layer 'x'; the last ones are .*, features.norm5, features$"):
        grad_cam(network, image, "x")
    with pytest.raises(ConfigError, match=r"layer classifier gives \(1, 5\); expected maps \(1, C, h, w\), as "):
        grad_cam(network, image, "classifier")
    for label in (-1, 5):
        with pytest.raises(ConfigError, match=f"there is no class {label}; expected 0 to 4"):
            grad_cam(network, image, None, label)
    assert "features.denseblock1.denselayer1" in layers_with_maps(network, image)
