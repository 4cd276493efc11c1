from __future__ import annotations

from typing import get_args

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.families.claims import num_params
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture, Stem
from densezoo.families.densenet.layers import layers, smallest_side, transition_channels
from densezoo.families.densenet.network import DenseNet

architectures = st.builds(
    DenseNetArchitecture,
    growth_rate=st.integers(1, 20),
    block_config=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    num_init_features=st.integers(4, 20),
    bn_size=st.none() | st.integers(1, 5),
    reduction=st.sampled_from([0.5, 0.7, 1.0]),
    stem=st.sampled_from(list(STEMS)),
    in_chans=st.integers(1, 4),
    num_classes=st.integers(1, 12),
)


@settings(deadline=None, max_examples=60)
@given(architectures)
def test_the_layers_are_the_module_s(arch: DenseNetArchitecture) -> None:
    with torch.device("meta"):
        model = DenseNet(arch)
    module = {k: tuple(v.shape) for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    topology = {f"{layer.name}.{k}": shape for layer in layers(arch) for k, shape in layer.shapes.items()}
    assert list(topology) == list(module)
    assert topology == module
    assert num_params(arch) == sum(p.numel() for p in model.parameters())


def test_reduction_rounds_down_in_double_precision() -> None:
    assert [transition_channels(c, 0.5) for c in (256, 255, 1)] == [128, 127, 0]
    assert transition_channels(100, 0.29) == 28  # 0.29 x 100 is 28.999999999999996, in Lua too


def test_a_hand_counted_network() -> None:
    # stem 3x3: 3*4*9 = 108; layer: norm 2*4, conv 4*2*9 = 72; norm5 2*6; classifier 6*5 + 5
    arch = DenseNetArchitecture(2, (1,), 4, bn_size=None, reduction=1.0, stem="cifar", num_classes=5)
    assert num_params(arch) == 108 + 8 + 72 + 12 + 35


def test_a_row_for_every_stem() -> None:
    assert set(STEMS) == set(get_args(Stem))


@pytest.mark.parametrize(
    ("arch", "side"),
    [
        (DenseNetArchitecture(), 64),  # the stem leaves a quarter of the side, three transitions an eighth of that
        (DenseNetArchitecture(stem="deep", block_config=(1, 1)), 16),
        (DenseNetArchitecture(stem="cifar", block_config=(1, 1, 1)), 8),
        (DenseNetArchitecture(stem="cifar", block_config=(1, 1, 1), head_pool=8), 32),
    ],
)
def test_the_smallest_image_leaves_the_head_two_by_two_pixels_or_its_pool(
    arch: DenseNetArchitecture, side: int
) -> None:
    assert smallest_side(arch) == side
    features = DenseNet(arch).features(torch.zeros(1, 3, side, side))
    assert features.shape[2] == (arch.head_pool or 2)
