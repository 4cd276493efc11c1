from __future__ import annotations

import dataclasses
import re

import pytest
import torch
import torchvision
from examples import randomise_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.checkpoints.convert import convert, infer_architecture, recognise
from densezoo.checkpoints.keymaps import KEYMAPS
from densezoo.errors import CheckpointError
from densezoo.models.densenet import DenseNet
from densezoo.models.topology import layers
from densezoo.types import Architecture, Checkpoint, KeyMap

SMALL = Architecture(8, (2, 3), 16, num_classes=5)
CIFAR = Architecture(6, (2, 2, 2), 12, stem="cifar", num_classes=10)
DEEP = Architecture(8, (1, 2), 16, stem="deep", num_classes=4)
PLAIN = Architecture(6, (2, 1), 12, bn_size=None, reduction=1.0, stem="cifar", num_classes=3)


def state_dict(arch: Architecture, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return dict(randomise_statistics(DenseNet(arch), seed).state_dict())


def as_source(keymap: KeyMap, arch: Architecture, counters: bool = True) -> dict[str, torch.Tensor]:
    """The same weights under a source's names, written out independently of the converter."""
    canonical, renamed = state_dict(arch), {}
    for layer in layers(arch):
        template = keymap.templates[layer.role][0]
        for param, name in keymap.params[layer.kind].items():
            if param == "num_batches_tracked" and not counters:
                continue
            numbers = {"block": layer.block, "layer": layer.index, "block0": layer.block - 1, "layer0": layer.index - 1}
            renamed[f"{template.format(**numbers)}.{name}"] = canonical[f"{layer.name}.{param}"]
    return renamed


def checkpoint(tensors: dict[str, torch.Tensor]) -> Checkpoint:
    return Checkpoint("model.pth", "pytorch", tensors)


def assert_exact(tensors: dict[str, torch.Tensor], arch: Architecture) -> None:
    found, converted, report = convert(checkpoint(tensors))
    assert found == arch
    assert report.exact
    assert report.matched == len(tensors)
    expected = state_dict(arch)
    assert converted.keys() == expected.keys()
    assert all(torch.equal(converted[name], expected[name]) for name in expected)


@pytest.mark.parametrize("keymap", KEYMAPS, ids=lambda keymap: keymap.name)
@pytest.mark.parametrize("arch", [SMALL, CIFAR, DEEP, PLAIN], ids=["imagenet", "cifar", "deep", "plain"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.densenet121."])
def test_every_source_and_stem(keymap: KeyMap, arch: Architecture, prefix: str) -> None:
    if any(layer.role not in keymap.templates for layer in layers(arch)):
        pytest.skip("this source has no such stem")
    tensors = {prefix + name: tensor for name, tensor in as_source(keymap, arch).items()}
    assert_exact(tensors, arch)
    assert recognise(checkpoint(tensors)).keymap is keymap or arch is PLAIN


#: The layers of one dense layer and of what is around it, typed here from the sources' own code.
GOLDEN_NAMES = {
    "torchvision": """features.conv0 features.norm0 features.denseblock2.denselayer3.norm1
        features.denseblock2.denselayer3.conv1 features.denseblock2.denselayer3.norm2
        features.denseblock2.denselayer3.conv2 features.transition1.norm features.transition1.conv
        features.norm5 classifier""",
    "torchvision-legacy": """features.conv0 features.norm0 features.denseblock2.denselayer3.norm.1
        features.denseblock2.denselayer3.conv.1 features.denseblock2.denselayer3.norm.2
        features.denseblock2.denselayer3.conv.2 features.transition1.norm features.transition1.conv
        features.norm5 classifier""",
    "andreasveit": """conv1 block2.layer.2.bn1 block2.layer.2.conv1 block2.layer.2.bn2 block2.layer.2.conv2
        trans1.bn1 trans1.conv1 bn1 fc""",
}


@pytest.mark.parametrize("keymap", KEYMAPS, ids=lambda keymap: keymap.name)
def test_names_as_the_sources_write_them(keymap: KeyMap) -> None:
    """A changed template can't change this expectation with it."""
    arch = SMALL if "stem.norm0" in keymap.templates else dataclasses.replace(SMALL, stem="cifar")
    names = {name.rpartition(".")[0] for name in as_source(keymap, arch)}
    assert set(GOLDEN_NAMES[keymap.name].split()) <= names


def test_the_names_of_a_real_torchvision_network() -> None:
    model = torchvision.models.DenseNet(growth_rate=8, block_config=(2, 2), num_init_features=16, num_classes=7)
    arch, converted, _ = convert(checkpoint(dict(model.state_dict())))
    assert arch == Architecture(8, (2, 2), 16, num_classes=7)
    assert converted.keys() == model.state_dict().keys()


ANDREASVEIT = [
    "conv1.weight",
    "block1.layer.0.bn1.weight",
    "block1.layer.0.bn1.bias",
    "block1.layer.0.bn1.running_mean",
    "block1.layer.0.bn1.running_var",
    "block1.layer.0.conv1.weight",
    "block1.layer.0.bn2.weight",
    "block1.layer.0.bn2.bias",
    "block1.layer.0.bn2.running_mean",
    "block1.layer.0.bn2.running_var",
    "block1.layer.0.conv2.weight",
    "trans1.bn1.weight",
    "trans1.bn1.bias",
    "trans1.bn1.running_mean",
    "trans1.bn1.running_var",
    "trans1.conv1.weight",
    "block2.layer.0.bn1.weight",
    "block2.layer.0.bn1.bias",
    "block2.layer.0.bn1.running_mean",
    "block2.layer.0.bn1.running_var",
    "block2.layer.0.conv1.weight",
    "block2.layer.0.bn2.weight",
    "block2.layer.0.bn2.bias",
    "block2.layer.0.bn2.running_mean",
    "block2.layer.0.bn2.running_var",
    "block2.layer.0.conv2.weight",
    "bn1.weight",
    "bn1.bias",
    "bn1.running_mean",
    "bn1.running_var",
    "fc.weight",
    "fc.bias",
]


def test_the_whole_key_set_of_a_small_andreasveit_network() -> None:
    arch = Architecture(4, (1, 1), 8, stem="cifar", num_classes=3)
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "andreasveit")
    assert set(as_source(keymap, arch, counters=False)) == set(ANDREASVEIT)


def test_counters_may_be_absent_and_are_then_zero() -> None:
    tensors = as_source(KEYMAPS[1], SMALL, counters=False)
    _, converted, report = convert(checkpoint(tensors))
    assert report.exact
    assert converted["features.norm0.num_batches_tracked"].item() == 0
    DenseNet(SMALL).load_state_dict(converted)


@pytest.mark.parametrize("head", ["classifier.0", "fc"])
def test_fine_tuned_heads(head: str) -> None:
    tensors = {name.replace("classifier", head): tensor for name, tensor in state_dict(SMALL).items()}
    assert_exact(tensors, SMALL)


def test_half_precision_becomes_float32() -> None:
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in state_dict(SMALL).items()}
    _, converted, _ = convert(checkpoint(tensors))
    assert converted["classifier.weight"].dtype == torch.float32
    assert torch.equal(converted["classifier.weight"], tensors["classifier.weight"].float())


def refusal(tensors: dict[str, torch.Tensor], arch: Architecture | None = None) -> str:
    with pytest.raises(CheckpointError) as caught:
        convert(checkpoint(tensors), arch)
    return str(caught.value)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_one_tensor_less_is_refused_by_name(data: st.DataObject) -> None:
    tensors = state_dict(SMALL)
    name = data.draw(st.sampled_from([name for name in tensors if "num_batches" not in name]))
    del tensors[name]
    message = refusal(tensors, SMALL)
    assert f"missing (1): {name}" in message or "not a DenseNet" in message
    refusal(tensors)


def test_one_tensor_more_is_refused_by_name() -> None:
    message = refusal({**state_dict(SMALL), "features.extra.weight": torch.zeros(1)})
    assert "unexpected (1): features.extra.weight" in message


def test_another_shape_is_refused_with_both() -> None:
    tensors = state_dict(SMALL) | {"features.transition1.conv.weight": torch.zeros(15, 32, 1, 1)}
    assert "mismatched (1): features.transition1.conv.weight: expected (16, 32, 1, 1), found (15, 32, 1, 1)" in refusal(
        tensors, SMALL
    )


def test_another_architecture_is_refused_and_named() -> None:
    message = refusal(state_dict(SMALL), Architecture(8, (2, 4), 16, num_classes=5))
    assert "block_config is (2, 3), expected (2, 4)" in message
    assert "missing (10): features.denseblock2.denselayer4.norm1.weight" in message
    assert "mismatched (" in message


def test_a_resnet_is_no_densenet() -> None:
    message = refusal(dict(torchvision.models.resnet18().state_dict()))
    assert re.search(
        r"not a DenseNet under any naming that densezoo knows \(.*andreasveit.*\); it holds 122 tensors", message
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_numbers_are_refused(value: float) -> None:
    tensors = state_dict(SMALL)
    tensors["features.norm5.running_var"][3] = value
    assert "features.norm5.running_var holds numbers that are not finite" in refusal(tensors)


def test_options_say_what_tensors_can_t() -> None:
    arch, _, _ = convert(checkpoint(state_dict(DEEP)), aa_layer="blurpool", bn_eps=1e-4)
    assert arch == Architecture(8, (1, 2), 16, stem="deep", aa_layer="blurpool", bn_eps=1e-4, num_classes=4)
    with pytest.raises(CheckpointError, match=r"options: unknown key 'bn_ep'; did you mean 'bn_eps'\?"):
        convert(checkpoint(state_dict(DEEP)), bn_ep=1e-4)


@settings(deadline=None, max_examples=30)
@given(
    st.builds(
        Architecture,
        growth_rate=st.integers(1, 12),
        block_config=st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple),
        num_init_features=st.integers(8, 16),
        bn_size=st.none() | st.integers(1, 4),
        reduction=st.sampled_from([0.5, 1.0]),
        stem=st.sampled_from(["imagenet", "cifar", "deep"]),
        in_chans=st.integers(1, 4),
        num_classes=st.integers(1, 12),
    )
)
def test_the_architecture_is_in_the_tensors(arch: Architecture) -> None:
    with torch.device("meta"):
        tensors = dict(DenseNet(arch).state_dict())
    found = infer_architecture(recognise(checkpoint(tensors)))
    if len(arch.block_config) == 1:  # without a transition there is no reduction to see
        found = Architecture(**{**vars(found), "reduction": arch.reduction})
    assert found == arch


def test_an_uncommon_reduction_is_found() -> None:
    arch = Architecture(7, (3, 2, 2), 15, reduction=0.7, stem="cifar", num_classes=2)
    found, _, report = convert(checkpoint(state_dict(arch)))
    assert report.exact
    assert abs(found.reduction - 0.7) < 0.05
