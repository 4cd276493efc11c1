from __future__ import annotations

import dataclasses
import functools
import re
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from examples import randomise_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.conversion.match import convert, read_network, recognise
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture, Stem
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet
from densezoo.types import Checkpoint, KeyMap

SMALL = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
CIFAR = DenseNetArchitecture(6, (2, 2, 2), 12, stem="cifar", num_classes=10)
DEEP = DenseNetArchitecture(8, (1, 2), 16, stem="deep", num_classes=4)
PLAIN = DenseNetArchitecture(6, (2, 1), 12, bn_size=None, reduction=1.0, stem="cifar", num_classes=3)


def state_dict(arch: DenseNetArchitecture, seed: int = 0) -> dict[str, torch.Tensor]:
    torch.manual_seed(seed)
    return dict(randomise_statistics(DenseNet(arch), seed).state_dict())


def taken_apart(op: str, name: str, canonical: dict[str, torch.Tensor]) -> list[torch.Tensor]:
    """The tensors that an operation makes a parameter of, worked out here and not by the converter."""
    tensor = canonical[name]
    one, zero = torch.ones_like(tensor), torch.zeros_like(tensor)
    return {
        "identity": lambda: [tensor],
        "hwio": lambda: [tensor.permute(2, 3, 1, 0).contiguous()],
        "hwio_rotated": lambda: [tensor.permute(2, 3, 1, 0).flip(0).flip(1).contiguous()],
        "transposed": lambda: [tensor.t().contiguous()],
        "matrix": lambda: [tensor[:, :, None, None]],
        "hwio_matrix": lambda: [tensor.t()[None, None]],
        "vector": lambda: [tensor[None, None, None]],
        "divided": lambda: [tensor * 4, torch.tensor([4.0])],
        "product": lambda: [tensor / 2, one * 2],
        "affine": lambda: [zero + 3, one * 2, tensor - 6],
    }[op]()


def as_source(keymap: KeyMap, arch: DenseNetArchitecture, counters: bool = True) -> dict[str, torch.Tensor]:
    """The same weights under a source's names, written out independently of the converter."""
    canonical, renamed = state_dict(arch), {}
    ranks = {"conv": 0, "norm": 0, "linear": 0}
    for layer in layers(arch):
        b, n = layer.block, layer.index
        places = {"block": b, "layer": n, "block0": b - 1, "layer0": n - 1, "stage": b + 1, "rank": ranks[layer.kind]}
        places |= {"even": 2 * (n - 1), "odd": 2 * (n - 1) + 1}
        places |= {"block2_1": 2 * b + 1, "block2_2": 2 * b + 2, "block2_3": 2 * b + 3}
        ranks[layer.kind] += 1
        name = keymap.templates[layer.role][0].format(**places)
        for param, made in keymap.params[layer.kind].items():
            if param != "num_batches_tracked" or counters:
                parts = taken_apart(made.op, f"{layer.name}.{param}", canonical)
                renamed |= {f"{name}{end}": part for end, part in zip(made.ends, parts)}
    return renamed


def checkpoint(tensors: dict[str, torch.Tensor], keymap: KeyMap = KEYMAPS[0], **facts: Any) -> Checkpoint:
    return Checkpoint("model.pth", "pytorch", tensors, metadata=keymap.requires, **facts)


def assert_exact(tensors: dict[str, torch.Tensor], arch: DenseNetArchitecture, keymap: KeyMap = KEYMAPS[0]) -> None:
    asked = {name: getattr(arch, name) for name, _ in [keymap.asks.get(("stem", arch.stem), ("stem", {}))]}
    found, converted, report = convert(checkpoint(tensors, keymap), **asked)
    assert found == dataclasses.replace(arch, **keymap.semantics)
    assert report.exact
    assert report.matched == len(tensors)
    expected = state_dict(arch)
    assert converted.keys() == expected.keys()
    fused = any(made.op == "affine" for made in keymap.params["norm"].values())  # x - 6 + 6 rounds
    same = functools.partial(torch.allclose, atol=1e-6) if fused else torch.equal
    assert all(same(converted[name], expected[name]) for name in expected if "num_batches" not in name)


@pytest.mark.parametrize("keymap", KEYMAPS, ids=lambda keymap: keymap.name)
@pytest.mark.parametrize("arch", [SMALL, CIFAR, DEEP, PLAIN], ids=["imagenet", "cifar", "deep", "plain"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.densenet121."])
def test_every_source_and_stem(keymap: KeyMap, arch: DenseNetArchitecture, prefix: str) -> None:
    if any(layer.role not in keymap.templates for layer in layers(arch)):
        pytest.skip("this source has no such stem")
    if prefix and "{rank}" in keymap.templates["layer.conv1"][0]:
        pytest.skip("these names are our readers', without a wrapper's prefix")
    tensors = {prefix + name: tensor for name, tensor in as_source(keymap, arch).items()}
    assert_exact(tensors, arch, keymap)
    assert recognise(checkpoint(tensors, keymap)).keymap is keymap


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


@pytest.mark.parametrize("source", GOLDEN_NAMES)
def test_names_as_the_sources_write_them(source: str) -> None:
    """A changed template can't change this expectation with it."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    arch = SMALL if "stem.norm0" in keymap.templates else dataclasses.replace(SMALL, stem="cifar")
    names = {name.rpartition(".")[0] for name in as_source(keymap, arch)}
    assert set(GOLDEN_NAMES[source].split()) <= names


#: One whole key of each source; the fixtures that the systems wrote hold the rest.
GOLDEN_KEYS = {
    "torchvision": "features.denseblock2.denselayer3.norm1.weight",
    "torchvision-legacy": "features.denseblock2.denselayer3.norm.1.weight",
    "andreasveit": "block2.layer.2.bn1.weight",
    "bamos": "dense2.2.bn1.weight",
    "gpleiss": "features.norm_final.running_var",
    "mmpretrain": "backbone.transitions.1.0.weight",
    "monai": "features.denseblock2.denselayer3.layers.norm1.weight",
    "pytorchcv": "features.stage2.trans2.conv.bn.running_var",
    "keras": "conv3_block3_1_bn/moving_variance",
    "flyyufelix": "conv3_3_x1_scale/gamma",
    "caffe": "conv3_3/x1/bn/2",
    "miraclewkf": "conv3_3_x1_bn_moving_var",
    "gluon": "features.6.2.1.3.gamma",
    "gluon-legacy": "stage2_batchnorm4_gamma",
    "mindcv": "features.denseblock2.cell_list.2.norm1.moving_variance",
    "mindvision": "backbone.features.transition1.features.norm.gamma",
    "paddle": "db_conv_3.conv3_3.bn_ac_func2._batch_norm._variance",
    "chainer": "block2/2/bn1/avg_var",
}


@pytest.mark.parametrize(("source", "name"), GOLDEN_KEYS.items())
def test_keys_as_the_sources_write_them(source: str, name: str) -> None:
    """Typed here from the sources' code, so that a changed template can't change the expectation with it."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    arch = SMALL if source not in ("andreasveit", "bamos") else dataclasses.replace(SMALL, stem="cifar")
    assert name in as_source(keymap, arch)


def test_the_names_of_a_real_torchvision_network() -> None:
    model = torchvision.models.DenseNet(growth_rate=8, block_config=(2, 2), num_init_features=16, num_classes=7)
    arch, converted, _ = convert(checkpoint(dict(model.state_dict())))
    assert arch == DenseNetArchitecture(8, (2, 2), 16, num_classes=7)
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
    arch = DenseNetArchitecture(4, (1, 1), 8, stem="cifar", num_classes=3)
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "andreasveit")
    assert set(as_source(keymap, arch, counters=False)) == set(ANDREASVEIT)


def test_counters_may_be_absent_and_are_then_zero() -> None:
    tensors = as_source(KEYMAPS[1], SMALL, counters=False)
    _, converted, report = convert(checkpoint(tensors))
    assert report.exact
    assert converted["features.norm0.num_batches_tracked"].item() == 0
    DenseNet(SMALL).load_state_dict(converted)


@pytest.mark.parametrize("head", ["classifier.0", "classifier.1", "fc", "head", "last_linear"])
def test_fine_tuned_heads(head: str) -> None:
    tensors = {name.replace("classifier", head): tensor for name, tensor in state_dict(SMALL).items()}
    assert_exact(tensors, SMALL)
    assert f"the classifier is {head}, whose outputs are returned" in convert(checkpoint(tensors))[2].hints[-1]
    assert "the classifier is" not in convert(checkpoint(state_dict(SMALL)))[2].hints[-1]


def test_a_head_of_two_layers_is_refused() -> None:
    tensors = {name.replace("classifier", "classifier.0"): tensor for name, tensor in state_dict(SMALL).items()}
    more = {"classifier.2.weight": torch.zeros(5, 5), "classifier.2.bias": torch.zeros(5)}
    assert "unexpected (2): classifier.2.weight, classifier.2.bias" in refusal({**tensors, **more})


def test_two_networks_of_the_same_tensors_are_not_guessed_between() -> None:
    """timm's densenetblur121d and densenet264d: the blur has no weights, and is 6 % of the logits."""
    message = refusal(state_dict(DEEP))
    assert "differ in aa_layer, which their tensors (growth_rate 8, block_config (1, 2)) don't show" in message
    assert re.search(r"aa_layer=blurpool \(timm's densenetblur121d.*aa_layer=None \(timm's densenet264d", message)
    for aa_layer in ("blurpool", None):
        assert convert(checkpoint(state_dict(DEEP)), aa_layer=aa_layer)[0].aa_layer == aa_layer
        assert convert(checkpoint(state_dict(DEEP), semantics={"aa_layer": aa_layer}))[0].aa_layer == aa_layer
        assert (
            convert(checkpoint(state_dict(DEEP)), dataclasses.replace(DEEP, aa_layer=aa_layer))[0].aa_layer == aa_layer
        )


@pytest.mark.parametrize("source", ["keras", "gluon-legacy"])
def test_a_head_of_any_name_where_a_system_numbers_them(source: str) -> None:
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    old = keymap.templates["classifier"][0]
    renamed = {name.replace(old, "mine7"): tensor for name, tensor in as_source(keymap, SMALL).items()}
    weight = next(name for name in renamed if "mine7" in name)
    renamed[weight] = renamed[weight].reshape(renamed[weight].shape[-2:])  # and no 1x1 convolution
    assert_exact(renamed, SMALL, keymap)
    with pytest.raises(CheckpointError, match="unexpected"):
        convert(checkpoint({**renamed, weight.replace("mine7", "other"): renamed[weight]}, keymap))


def test_a_caffe_factor_of_0_gives_statistics_of_0() -> None:
    """caffe/src/caffe/layers/batch_norm_layer.cpp: scale_factor = factor == 0 ? 0 : 1 / factor."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "caffe")
    tensors = as_source(keymap, SMALL)
    tensors["conv1/bn/2"] = torch.zeros(1)
    _, converted, _ = convert(checkpoint(tensors, keymap))
    assert not converted["features.norm0.running_mean"].any()
    assert not converted["features.norm0.running_var"].any()
    assert converted["features.norm5.running_var"].any()


def test_half_precision_becomes_float32() -> None:
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in state_dict(SMALL).items()}
    _, converted, _ = convert(checkpoint(tensors))
    assert converted["classifier.weight"].dtype == torch.float32
    assert torch.equal(converted["classifier.weight"], tensors["classifier.weight"].float())


def refusal(tensors: dict[str, torch.Tensor], arch: DenseNetArchitecture | None = None) -> str:
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
    message = refusal(state_dict(SMALL), DenseNetArchitecture(8, (2, 4), 16, num_classes=5))
    assert "block_config is (2, 3), expected (2, 4)" in message
    assert "missing (10): features.denseblock2.denselayer4.norm1.weight" in message
    assert "mismatched (" in message


def test_a_large_file_is_refused_by_its_shapes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before a number of it is read; a right one is read then."""
    monkeypatch.setattr("densezoo.conversion.match.LARGE_FILE", 1)
    tensors = state_dict(SMALL)
    torch.save(tensors, tmp_path / "m.pth")
    assert convert(read_network(tmp_path / "m.pth"))[2].exact
    del tensors["features.norm5.weight"]
    torch.save(tensors, tmp_path / "m.pth")
    with pytest.raises(CheckpointError, match=r"missing \(1\): features.norm5.weight"):
        read_network(tmp_path / "m.pth")


def test_a_resnet_is_no_densenet() -> None:
    message = refusal(dict(torchvision.models.resnet18().state_dict()))
    assert (
        "by its names this is a ResNet; densezoo converts whole DenseNets or RDNets (its 122 tensors: conv1" in message
    )
    message = refusal({"a.weight": torch.zeros(1)})
    assert re.search(r"not a DenseNet or RDNet under any naming .* \(.*andreasveit.*\); it holds 1 t", message)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_numbers_are_refused(value: float) -> None:
    tensors = state_dict(SMALL)
    tensors["features.norm5.running_var"][3] = value
    assert "features.norm5.running_var holds numbers that are not finite" in refusal(tensors)


def test_a_small_stem_may_have_kept_its_pool() -> None:
    """A torchvision network changed for small images: conv0 is 3x3, and pool0 is or isn't there."""
    arch = dataclasses.replace(SMALL, stem="cifar_norm")
    assert refusal(state_dict(arch)).endswith(
        "--options stem=cifar_norm (3x3 convolution and norm, and no pool after them), or --options stem=cifar_pool "
        "(the same with torchvision's pool, as huyvnphan's for CIFAR-10)"
    )
    for stem in ("cifar_norm", "cifar_pool"):
        assert convert(checkpoint(state_dict(arch)), stem=stem)[0] == dataclasses.replace(arch, stem=stem)


def test_options_say_what_tensors_can_t() -> None:
    arch, _, _ = convert(checkpoint(state_dict(DEEP)), aa_layer="blurpool", bn_eps=1e-4)
    assert arch == DenseNetArchitecture(8, (1, 2), 16, stem="deep", aa_layer="blurpool", bn_eps=1e-4, num_classes=4)
    with pytest.raises(CheckpointError, match=r"options: unknown key 'bn_ep'; did you mean 'bn_eps'\?"):
        convert(checkpoint(state_dict(DEEP)), bn_ep=1e-4, aa_layer=None)


@pytest.mark.parametrize("block_config", [(1, 1), (1, 2), (2, 1), (3, 1, 2), (1, 1, 1, 1)])
@pytest.mark.parametrize("stem", ["imagenet", "cifar", "deep", "cifar_norm"])
@pytest.mark.parametrize("bn_size", [4, None])
@pytest.mark.parametrize("source", ["keras3", "onnx"])
def test_ranks_find_their_layers(source: str, block_config: tuple[int, ...], stem: Stem, bn_size: int | None) -> None:
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    arch = DenseNetArchitecture(8, block_config, 16, bn_size=bn_size, stem=stem, num_classes=4)
    if stem == "deep" and bn_size is None:
        pytest.skip("3x3 convolutions without end: which of them are the stem can't be seen, and is refused")
    assert_exact(as_source(keymap, arch), arch, keymap)


def test_what_the_file_states_beats_the_table_and_an_option_may_not_contradict_it() -> None:
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == "keras")
    stated = checkpoint(as_source(keymap, SMALL), keymap, semantics={"bn_eps": 1e-3})
    assert convert(stated)[0].bn_eps == 1e-3
    assert convert(stated, bn_eps=1e-3)[0].bn_eps == 1e-3
    with pytest.raises(CheckpointError, match="bn_eps was asked to be 0.1, and the file says 0.001; leave the option"):
        convert(stated, bn_eps=0.1)
    assert convert(checkpoint(as_source(keymap, SMALL), keymap), bn_eps=0.1)[0].bn_eps == 0.1
    assert convert(checkpoint(as_source(keymap, SMALL), keymap), SMALL)[0].bn_eps == 1.001e-5


def test_stated_tensors_are_held_against_the_asked_architecture() -> None:
    other = dataclasses.replace(SMALL, block_config=(2, 4))
    stated = checkpoint(state_dict(SMALL), semantics=dataclasses.asdict(SMALL))
    with pytest.raises(CheckpointError, match="expected"):
        convert(stated, other)


@pytest.mark.parametrize(
    "name",
    [
        "moments.features.conv0.weight",
        "global_step",
        "learning_rate",
        "moment1.a",
        "n_averaged",
        "criterion.weight",
        "lr",
    ],
)
def test_what_rides_along_is_dropped_by_kind(name: str) -> None:
    _, _, report = convert(checkpoint({**state_dict(SMALL), name: torch.zeros(3)}))
    assert sum(report.dropped.values()) == 1


def test_a_negative_variance_and_whole_numbers_are_refused() -> None:
    tensors = state_dict(SMALL)
    tensors["features.norm5.running_var"][3] = -1
    assert "negative variance" in refusal(tensors)
    tensors = state_dict(SMALL)
    tensors["classifier.weight"] = tensors["classifier.weight"].to(torch.int8)
    assert "not quantised" in refusal(tensors)


def test_the_result_shares_no_memory_with_the_file() -> None:
    tensors = state_dict(SMALL)
    _, converted, _ = convert(checkpoint(tensors))
    theirs = {tensor.data_ptr() for tensor in tensors.values()}
    assert not theirs & {tensor.data_ptr() for tensor in converted.values()}


def test_an_uncommon_reduction_is_found() -> None:
    arch = DenseNetArchitecture(7, (3, 2, 2), 15, reduction=0.7, stem="cifar", num_classes=2)
    found, _, report = convert(checkpoint(state_dict(arch)))
    assert report.exact
    assert abs(found.reduction - 0.7) < 0.05
