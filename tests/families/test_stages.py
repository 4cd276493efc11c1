from __future__ import annotations

from typing import Any

import pytest
from toy_family import register

from densezoo.families import build_model, get_family
from densezoo.families.stages import layers_by_stage


def test_a_densenet_s_stages() -> None:
    arch = get_family("densenet").architecture(block_config=(2, 1, 1), growth_rate=4)
    stages = layers_by_stage(arch)
    expected = "stem block1 transition1 block2 transition2 block3 head classifier"
    assert list(stages) == expected.split()
    assert [layer.name for layer in stages["head"]] == ["features.norm5"]
    assert {layer.index for layer in stages["block1"]} == {1, 2}
    assert [layer.name for layer in stages["transition2"]] == ["features.transition2.norm", "features.transition2.conv"]


def test_an_rdnet_s_stages() -> None:
    """Its transitions stand before a block and have that one's number; as stages they count from 1."""
    arch = get_family("rdnet").architecture(growth_rates=(8, 8), block_config=(1, 1), downsample=(1,), attention=())
    stages = layers_by_stage(arch)
    assert list(stages) == ["stem", "block1", "transition1", "block2", "head", "classifier"]
    assert stages["transition1"][0].name == "dense_stages.1.0"


SMALL: dict[str, dict[str, Any]] = {
    "densenet": {"block_config": (1, 1)},
    "rdnet": {"growth_rates": (8, 8), "block_config": (1, 1), "downsample": (1,), "attention": (1,)},
    "toy": {},
}


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_is_in_one_stage(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)
    arch = get_family(name).architecture(**SMALL[name], num_classes=3)
    layers = [layer for own in layers_by_stage(arch).values() for layer in own]
    names = [f"{layer.name}.{param}" for layer in layers for param in layer.shapes if "running" not in param]
    assert len(set(names)) == len(names)
    assert sorted(names) == sorted(name for name, _ in build_model(arch).named_parameters())
