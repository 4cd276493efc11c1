"""RDNet's layers: names, shapes and sizes, against the module and by hand."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import (
    CANONICAL_TEMPLATES,
    kind_of,
    layers,
    numbers,
    rounded_down,
    smallest_side,
    stage_ends,
    stages,
)
from densezoo.families.rdnet.network import RDNet


@st.composite
def architectures(draw: st.DrawFn) -> RDNetArchitecture:
    """Small RDNets of every shape."""
    count = draw(st.integers(1, 4))
    after_the_first = st.sets(st.integers(1, count - 1)) if count > 1 else st.just(set[int]())
    return RDNetArchitecture(
        growth_rates=draw(st.tuples(*[st.sampled_from([8, 16, 24])] * count)),
        block_config=draw(st.tuples(*[st.integers(1, 2)] * count)),
        num_init_features=draw(st.sampled_from([16, 24])),
        expansion=draw(st.sampled_from([2.0, 4.0])),
        reduction=draw(st.sampled_from([0.5, 1.0])),
        patch_size=draw(st.sampled_from([2, 4])),
        downsample=tuple(sorted(draw(after_the_first))),
        attention=tuple(sorted(draw(st.sets(st.integers(0, count - 1))))),
        in_chans=draw(st.integers(1, 3)),
        num_classes=draw(st.integers(1, 5)),
    )


@settings(max_examples=40)
@given(architectures())
def test_the_layers_are_the_module_s(arch: RDNetArchitecture) -> None:
    with torch.device("meta"):
        module = {name: tuple(tensor.shape) for name, tensor in RDNet(arch).state_dict().items()}
    shapes = {f"{layer.name}.{param}": shape for layer in layers(arch) for param, shape in layer.shapes.items()}
    assert shapes == module
    assert all(layer.kind == kind_of(layer.role) for layer in layers(arch))
    assert {layer.role for layer in layers(arch)} <= CANONICAL_TEMPLATES.keys()


@settings(max_examples=40)
@given(architectures())
def test_stages_end_where_the_map_is_halved(arch: RDNetArchitecture) -> None:
    ends = list(stage_ends(arch))
    assert [(channels, reduction) for _, channels, reduction in ends] == stages(arch)
    assert [stage for stage, _, _ in ends] == [*(stage - 1 for stage in arch.downsample), len(arch.block_config) - 1]
    assert [reduction for *_, reduction in ends] == [arch.patch_size << i for i in range(len(arch.downsample) + 1)]
    assert stages(arch)[-1][0] == list(layers(arch))[-1].shapes["weight"][1]  # the classifier takes the last
    assert smallest_side(arch) == 2 * stages(arch)[-1][1]


@pytest.mark.parametrize(
    ("channels", "expected"), [(8, 8), (15.9, 8), (16, 16), (7.9, 0), (104 * 0.5, 48), (256.0, 256)]
)
def test_widths_are_rounded_down_to_eight(channels: float, expected: int) -> None:
    assert rounded_down(channels) == expected


def test_a_stage_s_layers_stand_after_its_transition() -> None:
    assert numbers(1, 1, 0) == {"stage": 0, "position": 0, "layer0": 0}
    assert numbers(3, 2, 0) == {"stage": 2, "position": 2, "layer0": 1}


def test_a_hand_counted_network() -> None:
    arch = RDNetArchitecture((8,), (1,), 8, expansion=2.0, patch_size=2, downsample=(), attention=(0,), num_classes=3)
    counted = {
        "stem.0": 8 * 3 * 4 + 8, "stem.1": 16, "depthwise": 8 * 49 + 8, "norm": 16, "expand": 16 * 8 + 16,
        "reduce": 8 * 16 + 8, "attention": 8 * 8 + 8, "gain": 8, "head.norm": 32, "head.fc": 3 * 16 + 3,
    }  # fmt: skip
    network = RDNet(arch)
    assert sum(parameter.numel() for parameter in network.parameters()) == sum(counted.values())
