"""RDNet's wiring as steps: bit by bit in test_base.py; here what a step says, and that a layer is a chain of them."""

from __future__ import annotations

import dataclasses

from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.computation import computation
from densezoo.families.rdnet.layers import layers
from densezoo.types import Node

ARCH = RDNetArchitecture((8, 16), (2, 1), 16, downsample=(1,), attention=(1,), norm_eps=1e-4, head_norm_eps=1e-3)


def step(name: str) -> Node:
    return next(node for node in computation(ARCH).nodes if node.name == name)


def test_every_layer_s_weights_are_taken_once_and_in_order() -> None:
    taken = [weight for node in computation(ARCH).nodes for weight in node.weights]
    assert taken == [f"{layer.name}.{param}" for layer in layers(ARCH) for param in layer.shapes]


def test_names_are_unique_and_each_step_stands_after_its_inputs() -> None:
    seen: set[str] = set()
    for node in computation(ARCH).nodes:
        assert node.name not in seen
        assert set(node.inputs) <= seen
        seen.add(node.name)


def test_epsilons_and_windows_are_the_architecture_s() -> None:
    epsilons = {node.name: node.attributes["eps"] for node in computation(ARCH).nodes if node.op == "layer_norm"}
    assert {eps for name, eps in epsilons.items() if name != "head.norm"} == {1e-4}
    assert epsilons["head.norm"] == 1e-3
    depthwise = step("dense_stages.0.0.dense_block0.layers.layers.0").attributes
    assert (depthwise["kernel"], depthwise["pads"], depthwise["groups"]) == ((7, 7), (3, 3, 3, 3), 16)
    transition = step("dense_stages.1.1").attributes
    assert (transition["kernel"], transition["stride"], transition["pads"]) == ((2, 2), (2, 2), (0, 0, 0, 0))
    kept = computation(dataclasses.replace(ARCH, downsample=())).nodes
    assert next(node for node in kept if node.name == "dense_stages.1.1").attributes["stride"] == (1, 1)


def test_only_stages_with_attention_have_a_gate() -> None:
    gates = [node for node in computation(ARCH).nodes if node.op == "hard_sigmoid"]
    assert len(gates) == 1
    gated = next(node for node in computation(ARCH).nodes if node.op == "multiply")
    assert gates[0].name in gated.inputs
    assert len(set(gated.inputs)) == 2


def test_each_layer_reads_all_before_it_in_its_stage() -> None:
    joined = {node.name: node.inputs for node in computation(ARCH).nodes if node.op == "concat"}
    assert [len(inputs) for inputs in joined.values()] == [2, 3, 2]  # the second layer of stage 0; both stages' ends
    assert joined["stage0.concat"][:2] == joined["stage0.layer1.concat"]
