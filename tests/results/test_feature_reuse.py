"""Figure 5: of weights that say whose they are, of random ones walked through the module, and what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo.errors import ConfigError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.results.feature_reuse import Reuse, draw_feature_reuse, feature_reuse

BOTTLENECK = DenseNetArchitecture(4, (2, 3), 8, stem="cifar", num_classes=5)
PLAIN = DenseNetArchitecture(4, (3, 1), 6, bn_size=None, reduction=1.0, stem="cifar", num_classes=3)
RDNET = RDNetArchitecture(
    growth_rates=(8, 16), block_config=(2, 1), num_init_features=8, downsample=(1,), attention=(1,), num_classes=5
)


def test_of_weights_that_say_whose_they_are() -> None:
    """Each weight that reads source s is s + 1 or, in every second filter, -(s + 1)."""
    weights = build_model(PLAIN).state_dict()
    for block, depth in ((1, 3), (2, 1)):
        start = 6 if block == 1 else 18
        ends = [start + 4 * i for i in range(depth + 1)]
        after = "features.transition1.conv" if block == 1 else "classifier"
        names = [f"features.denseblock{block}.denselayer{i + 1}.conv1" for i in range(depth)]
        for name in [*names, after]:
            weight = weights[f"{name}.weight"]
            for channel in range(weight.shape[1]):
                weight[:, channel] = 1.0 + sum(channel >= end for end in ends)
            weight.mul_(torch.tensor([-1.0, 1.0])[torch.arange(weight.shape[0]) % 2].view(-1, *[1] * (weight.ndim - 1)))
    first, second = feature_reuse(PLAIN, weights)
    nan = np.nan
    np.testing.assert_array_equal(
        first.norms, [[9, 9, 9, 1], [nan, 18, 18, 2], [nan, nan, 27, 3], [nan, nan, nan, 4]]
    )  # the L1 norm of nine weights, but for the transition's one
    np.testing.assert_array_equal(second.norms, [[9, 1], [nan, 2]])
    assert (first.after, second.after) == ("transition", "classifier")
    np.testing.assert_allclose(first.of_largest()[:, 2], [1 / 3, 2 / 3, 1, nan])


def test_of_random_weights_walked_through_the_module() -> None:
    torch.manual_seed(0)
    network = build_model(BOTTLENECK)
    found = feature_reuse(BOTTLENECK, network.state_dict())
    assert [block.norms.shape for block in found] == [(3, 3), (4, 4)]
    widths = [[8, 4, 4], [8, 4, 4, 4]]
    afters = [network.get_submodule("features.transition1.conv"), network.get_submodule("classifier")]
    for number, (block, after) in enumerate(zip(found, afters)):
        dense = network.get_submodule(f"features.denseblock{number + 1}")
        readers = [layer.get_submodule("conv1") for layer in dense.children()] + [after]
        for column, reader in enumerate(readers):
            weight = reader.state_dict()["weight"]
            sources = weight.split(widths[number][: column + 1], dim=1)
            means = [float(source.abs().mean()) for source in sources]
            assert block.norms[: column + 1, column].tolist() == pytest.approx(means)
            assert np.isnan(block.norms[column + 1 :, column]).all()


def test_an_rdnet_s_layers_read_by_the_convolution_that_mixes_channels() -> None:
    weights = build_model(RDNET).state_dict()
    first, second = feature_reuse(RDNET, weights)
    expand = weights["dense_stages.0.0.dense_block1.layers.layers.2.weight"].abs().mean((0, 2, 3))
    assert first.norms[:2, 1].tolist() == pytest.approx([float(expand[:8].mean()), float(expand[8:].mean())])
    assert (len(first.norms), len(second.norms), second.after) == (3, 2, "classifier")


def test_what_is_drawn(tmp_path: Path) -> None:
    blocks = feature_reuse(BOTTLENECK, build_model(BOTTLENECK).state_dict())
    draw_feature_reuse(tmp_path / "f.svg", blocks, "a small one", "dark")
    text = (tmp_path / "f.svg").read_text()
    for words in ("a small one", "block 2", "input", "reading layer; T: transition", "source layer"):
        assert f"<!-- {words} -->" in text
    dark = [Reuse(np.array([[1.0, low], [np.nan, 1.0]]), "transition") for low in (0.0, 1.0)]
    for name, block in zip("ab", dark):
        draw_feature_reuse(tmp_path / f"{name}.png", [block], "t")
    first, second = (np.asarray(Image.open(tmp_path / f"{name}.png").convert("L"), int) for name in "ab")
    assert 0.05 < (np.abs(first - second) > 50).mean() < 0.4  # one of the three cells
    with pytest.raises(ConfigError, match="expected a network with dense blocks, found none"):
        draw_feature_reuse(tmp_path / "f.svg", [], "t")
