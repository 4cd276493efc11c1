"""What a file says of its network beside its tensors, held against what they show."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from densenet_sources import DEEP, SMALL, as_densenet, as_source, checkpoint, refusal, state_dict

from densezoo.conversion.export import export
from densezoo.conversion.match import convert, recognise
from densezoo.conversion.statements import check_description, check_family, check_weights, equal, statements
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import Stem
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.formats.detect import read_checkpoint
from densezoo.types import NamedNetwork


def test_two_networks_of_the_same_tensors_are_not_guessed_between() -> None:
    """timm's densenetblur121d and densenet264d: the blur has no weights, and is 6 % of the logits."""
    message = refusal(state_dict(DEEP))
    assert "differ in aa_layer, which their tensors (growth_rate 8, block_config (1, 2)) don't show" in message
    assert re.search(r"aa_layer=blurpool \(timm's densenetblur121d.*aa_layer=None \(timm's densenet264d", message)
    for aa_layer in ("blurpool", None):
        assert as_densenet(convert(checkpoint(state_dict(DEEP)), aa_layer=aa_layer)[0]).aa_layer == aa_layer
        assert (
            as_densenet(convert(checkpoint(state_dict(DEEP), semantics={"aa_layer": aa_layer}))[0]).aa_layer == aa_layer
        )
        asked = dataclasses.replace(DEEP, aa_layer=aa_layer)
        assert convert(checkpoint(state_dict(DEEP)), asked)[0] == asked


def test_a_small_stem_may_have_kept_its_pool() -> None:
    """A torchvision network changed for small images: conv0 is 3x3, and pool0 is or isn't there."""
    arch = dataclasses.replace(SMALL, stem="cifar_norm")
    assert refusal(state_dict(arch)).endswith(
        "--options stem=cifar_norm (3x3 convolution and norm, and no pool after them), or --options stem=cifar_pool "
        "(the same with torchvision's pool, as huyvnphan's for CIFAR-10)"
    )
    stems: tuple[Stem, ...] = ("cifar_norm", "cifar_pool")
    for stem in stems:
        assert convert(checkpoint(state_dict(arch)), stem=stem)[0] == dataclasses.replace(arch, stem=stem)


def test_what_the_file_states_beats_the_table_and_an_option_may_not_contradict_it() -> None:
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "keras")
    stated = checkpoint(as_source(keymap, SMALL), keymap, semantics={"bn_eps": 1e-3})
    assert as_densenet(convert(stated)[0]).bn_eps == 1e-3
    assert as_densenet(convert(stated, bn_eps=1e-3)[0]).bn_eps == 1e-3
    with pytest.raises(CheckpointError, match="bn_eps was asked to be 0.1, and the file says 0.001; leave the option"):
        convert(stated, bn_eps=0.1)
    assert as_densenet(convert(checkpoint(as_source(keymap, SMALL), keymap), bn_eps=0.1)[0]).bn_eps == 0.1
    assert as_densenet(convert(checkpoint(as_source(keymap, SMALL), keymap), SMALL)[0]).bn_eps == 1.001e-5


def test_stated_tensors_are_held_against_the_asked_architecture() -> None:
    other = dataclasses.replace(SMALL, block_config=(2, 4))
    stated = checkpoint(state_dict(SMALL), semantics=dataclasses.asdict(SMALL))
    with pytest.raises(CheckpointError, match="expected"):
        convert(stated, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1e-5, 9.999999747378752e-06, True),  # as float32 has it
        (1e-5, 1.001e-5, False),
        ((6, 12), [6, 12], True),
        ((6, 12), [12, 6], False),
        (None, False, False),
        ("avg", "avg", True),
        (1, 1.0, True),
        ((1,), 1, False),
    ],
)
def test_values_are_the_same_but_for_how_they_are_written(one: object, other: object, expected: bool) -> None:
    assert equal(one, other) is equal(other, one) is expected


def named(**fields: object) -> NamedNetwork:
    return NamedNetwork("config.json", "densenet_small", fields=fields or None)


def stated(**facts: Any) -> dict[str, object]:
    """What a file with SMALL's tensors says of its computation."""
    file = checkpoint(state_dict(SMALL), **facts)
    naming = recognise(file)
    return statements(file, naming, naming.family.infer(naming))[0]


def test_what_tensors_do_not_show_is_stated() -> None:
    semantics = {"family": "densenet", "bn_eps": 1e-3}
    described = (named(bn_eps=0.001, block_config=(9, 9), drop_rate=0.1),)
    assert stated(semantics=semantics, described=described) == {"bn_eps": 1e-3, "drop_rate": 0.1}


def test_two_statements_may_not_contradict_each_other() -> None:
    with pytest.raises(
        CheckpointError, match=r"config.json: says bn_eps 0.1; model.pth says 0.001; nothing was loaded"
    ):
        stated(semantics={"bn_eps": 1e-3}, described=(named(bn_eps=0.1),))
    with pytest.raises(CheckpointError, match="config.json: says bn_eps 0.2; model.pth says 0.1"):
        stated(described=(named(bn_eps=0.1), named(bn_eps=0.2)))


def test_a_description_is_held_against_the_tensors() -> None:
    file = checkpoint(state_dict(SMALL))
    naming = recognise(file)

    def check(*described: NamedNetwork, tensors: dict[str, torch.Tensor] | None = None) -> None:
        other = dataclasses.replace(file, described=described, tensors=tensors or file.tensors)
        check_description(other, naming, SMALL)

    check(named(block_config=[2, 3], growth_rate=8))
    with pytest.raises(CheckpointError) as caught:
        check(named(block_config=[2, 3], growth_rate=32))
    assert str(caught.value) == (
        "config.json: says that the network is timm's densenet_small, growth_rate 32; by its tensors model.pth is a "
        "DenseNet of growth_rate 8; nothing was loaded: replace or remove the one that is wrong"
    )
    with pytest.raises(
        CheckpointError, match="says that the network is densenet_small, none of timm's DenseNets; by its"
    ):
        check(named())
    incomplete = {name: tensor for name, tensor in file.tensors.items() if name != "classifier.weight"}
    check(named(growth_rate=32), tensors=incomplete)  # what is missing says more


def test_families_are_told_apart() -> None:
    file = checkpoint(state_dict(SMALL))
    naming = recognise(file)
    check_family(file, naming, None)
    check_family(dataclasses.replace(file, semantics={"family": "densenet"}), naming, SMALL)
    with pytest.raises(
        CheckpointError, match=r"by its names \(torchvision\) this is a DenseNet; expected an RDNet \(gro"
    ):
        check_family(file, naming, RDNetArchitecture())
    with pytest.raises(
        CheckpointError, match=r"says that it is of the family 'rdnet'; by its names \(torchvision\) it"
    ):
        check_family(dataclasses.replace(file, semantics={"family": "rdnet"}), naming, None)


def test_layers_have_to_take_the_weights_of_their_names() -> None:
    file = checkpoint(state_dict(SMALL))
    naming = recognise(file)
    layers = list(naming.family.layers(SMALL))
    by_tensor = [tuple(f"{layer.name}.{param}" for param in layer.shapes) for layer in layers]
    by_module: list[tuple[str, ...]] = [(layer.name,) for layer in layers]
    check_weights(file, naming, SMALL, by_tensor)
    check_weights(file, naming, SMALL, by_module)
    for weights in (by_tensor, by_module):
        swapped = [weights[0], *weights[2:3], *weights[1:2], *weights[3:]]
        with pytest.raises(
            CheckpointError, match="in its computation features.norm0 takes .*; by its names it should tak"
        ):
            check_weights(file, naming, SMALL, swapped)
    with pytest.raises(CheckpointError, match="features.conv0 takes no weights; by its names"):
        check_weights(file, naming, SMALL, [(), *by_module[1:]])


@pytest.mark.parametrize("stem", ["cifar_norm", "cifar_pool"])
def test_a_graph_shows_whether_a_small_stem_has_a_pool(tmp_path: Path, stem: Stem) -> None:
    """The tensors are the same; whoever asks for the other network is refused."""
    arch = dataclasses.replace(SMALL, stem=stem)
    export(tmp_path / "m.onnx", "onnx", arch, state_dict(arch), {})
    content = read_checkpoint(tmp_path / "m.onnx")
    assert as_densenet(convert(content)[0]).stem == stem
    assert as_densenet(convert(content, arch)[0]).stem == stem
    other: Stem = "cifar_pool" if stem == "cifar_norm" else "cifar_norm"
    with pytest.raises(CheckpointError, match=f"stem was asked to be '{other}'.*by the file.* it is '{stem}'"):
        convert(content, dataclasses.replace(arch, stem=other))
