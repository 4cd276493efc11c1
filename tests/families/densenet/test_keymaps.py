"""Every source's names and tensor operations, against what is written out here."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from densenet_sources import CIFAR, DEEP, PLAIN, SMALL, as_source, assert_exact, checkpoint, refusal, state_dict

from densezoo.conversion.match import convert, recognise
from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture, Stem
from densezoo.families.densenet.keymaps import KEYMAPS
from densezoo.families.densenet.layers import layers
from densezoo.types import KeyMap


@pytest.mark.parametrize("keymap", KEYMAPS, ids=lambda keymap: keymap.name)
@pytest.mark.parametrize("arch", [SMALL, CIFAR, DEEP, PLAIN], ids=["imagenet", "cifar", "deep", "plain"])
@pytest.mark.parametrize("prefix", ["", "module.", "model.", "module.densenet121."])
def test_every_source_and_stem(keymap: KeyMap, arch: DenseNetArchitecture, prefix: str) -> None:
    if any(layer.role not in keymap.templates for layer in layers(arch)):
        pytest.skip("this source has no such stem")
    if any(getattr(arch, field) != value for field, value in keymap.shows.items()):
        pytest.skip("this table is for other networks")
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
    "bearpaw": "bn.running_var",
    "gpleiss": "features.norm_final.running_var",
    "mmpretrain": "backbone.transitions.1.0.weight",
    "monai": "features.denseblock2.denselayer3.layers.norm1.weight",
    "pytorchcv": "features.stage2.trans2.conv.bn.running_var",
    "osmr-gluon": "features.2.3.conv1.bn.gamma",
    "osmr-chainer": "features/stage2/unit3/conv1/bn/avg_var",
    "osmr-keras": "features/stage2/unit3/conv1/bn/moving_variance",
    "osmr-tf1": "features/stage2/unit3/conv1/bn/moving_variance:0",
    "osmr-tf2": "features/stage2/trans2/conv/kernel",
    "osmr-gluon-cifar": "features.2.3.conv1.bn.gamma",
    "osmr-chainer-cifar": "features/init_block/W",
    "osmr-tf2-cifar": "features/stage2/unit3/conv1/conv/kernel",
    "pytorchcv-cifar": "features.init_block.weight",
    "keras": "conv3_block3_1_bn/moving_variance",
    "kerascv": "conv3_block_2_1_bn/moving_variance",
    "flyyufelix": "conv3_3_x1_scale/gamma",
    "pudae": "dense_block2/conv_block3/x1/BatchNorm/moving_variance",
    "caffe": "conv3_3/x1/bn/2",
    "caffe2": "conv3_3/x1/bn_w",
    "miraclewkf": "conv3_3_x1_bn_moving_var",
    "gluon": "features.6.2.1.3.gamma",
    "gluon-legacy": "stage2_batchnorm4_gamma",
    "mindcv": "features.denseblock2.cell_list.2.norm1.moving_variance",
    "mindvision": "backbone.features.transition1.features.norm.gamma",
    "mindspore-official": "head.fc.weight",
    "paddle": "db_conv_3.conv3_3.bn_ac_func2._batch_norm._variance",
    "chainer": "block2/2/bn1/avg_var",
}


@pytest.mark.parametrize(("source", "name"), GOLDEN_KEYS.items())
def test_keys_as_the_sources_write_them(source: str, name: str) -> None:
    """Typed here from the sources' code, so that a changed template can't change the expectation with it."""
    keymap = next(keymap for keymap in KEYMAPS if keymap.name == source)
    arch = (
        SMALL
        if source not in ("andreasveit", "bamos", "bearpaw") and not source.endswith("-cifar")
        else dataclasses.replace(SMALL, stem="cifar")
    )
    assert name in as_source(keymap, arch)


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
