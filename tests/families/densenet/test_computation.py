"""The wiring as data, held to the module: executed node by node it has to give the module's bits."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from computation_interpreter import run
from examples import randomise_statistics

from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture
from densezoo.families.densenet.computation import computation
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet
from densezoo.types.computation import channels, sides

SMALL = DenseNetArchitecture(4, (2, 1, 3), 8, num_classes=5)
#: Everything but the stem that changes what a network computes; odd and even maps before each pool.
VARIANTS: dict[str, dict[str, Any]] = {
    "as torchvision's": {},
    "plain layers": {"bn_size": None},
    "one block": {"block_config": (1,)},
    "another reduction": {"reduction": 0.7, "bn_eps": 1e-3, "in_chans": 1},
    "blur in the stem": {"aa_layer": "blurpool"},
    "blur everywhere": {"aa_layer": "blurpool", "aa_stem_only": False},
    "same padding": {"pool_padding": "same", "ceil_mode": True, "transition_pool": "max"},
    "same padding of the first convolution": {"stem_padding": "same", "pool_padding": "same"},
    "ceil mode": {"ceil_mode": True},
    "ceil mode but in the stem": {"ceil_mode": True, "stem_ceil_mode": False},
    "ceil mode in the stem": {"stem_ceil_mode": True},
    "max pools": {"transition_pool": "max"},
    "a last pool of a fixed side": {"head_pool": 2},
    "dropout": {"drop_rate": 0.5},
}
IMAGE_SIZES = ((32, 32), (35, 46), (45, 51), (65, 38))


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_nodes_compute_what_the_module_does(stem: str, variant: str) -> None:
    changes = VARIANTS[variant]
    if changes.get("aa_layer") and changes.get("aa_stem_only", True) and stem.startswith("cifar"):
        pytest.skip("a stem without pooling has nothing to blur")
    arch = dataclasses.replace(SMALL, stem=stem, **changes)  # type: ignore[arg-type]
    network, nodes = randomise_statistics(DenseNet(arch)), computation(arch)
    unit = 4 * STEMS[arch.stem].reduction  # pixels of the image in one of the last map's
    ends_in_one_pool = ((2 * unit, 3 * unit - 1), (3 * unit - 1, 2 * unit))
    for height, width in ends_in_one_pool if arch.head_pool else IMAGE_SIZES:
        images = torch.randn(2, arch.in_chans, height, width, generator=torch.Generator().manual_seed(1))
        with torch.inference_mode():
            outputs = run(nodes, network.state_dict(), images)
            assert torch.equal(outputs[nodes.output.name], network(images))
        widths, maps = channels(nodes), sides(nodes, height, width)
        for name, output in outputs.items():
            assert output.shape[1] == widths[name], name
            assert (tuple(output.shape[2:]) or (1, 1)) == maps[name], name


def test_every_layer_s_weights_are_taken_once_and_in_order() -> None:
    taken = [name for node in computation(SMALL).nodes for name in node.weights]
    assert taken == [f"{layer.name}.{param}" for layer in layers(SMALL) for param in layer.shapes]
    assert set(taken) == {name for name in DenseNet(SMALL).state_dict() if "num_batches" not in name}


def test_names_are_unique_and_each_step_stands_after_its_inputs() -> None:
    seen: set[str] = set()
    for node in computation(SMALL).nodes:
        assert set(node.inputs) <= seen
        assert node.name not in seen
        seen.add(node.name)
