"""How each source names the tensors of a DenseNet, and what it computes with them: one table a source.

The roles are those of `densezoo.families.densenet.layers.CANONICAL_TEMPLATES`. Adding a source is one `KeyMap` here
(CONTRIBUTING.md).
"""

from __future__ import annotations

from collections.abc import Mapping

from densezoo.families.densenet.layers import CANONICAL_TEMPLATES
from densezoo.types import LONE_MATRIX, KeyMap, Param

Params = dict[str, Mapping[str, Param]]

STATISTICS = ("weight", "bias", "running_mean", "running_var")
DENSE_LAYER = ("layer.norm1", "layer.conv1", "layer.norm2", "layer.conv2")


def numbers(block: int, layer: int, rank: int) -> dict[str, int]:
    """What stands in the braces of a template.

    Args:
        block, layer: counted from 1.
        rank: of the layer among those of its kind, from 0.
    """
    return {
        "block": block,
        "layer": layer,
        "block0": block - 1,
        "layer0": layer - 1,
        "stage": block + 1,  # Keras, Caffe: the stem is the first stage
        "even": 2 * layer - 2,  # Gluon: two convolutions a layer, counted through the block
        "odd": 2 * layer - 1,
        "in_stage": layer - (block == 1),  # Gluon's list of a stage: the transition before it, then its layers
        "block2_1": 2 * block + 1,  # blocks and transitions in one list
        "block2_2": 2 * block + 2,
        "block2_3": 2 * block + 3,
        "rank": rank,
    }


def _params(
    separator: str, norm: tuple[str, str, str, str], conv: Param, linear: Param, bias: str = "bias", **more: str
) -> Params:
    return {
        "conv": {"weight": conv},
        "norm": {param: Param((separator + name,)) for param, name in zip(STATISTICS, norm)}
        | {param: Param((separator + name,)) for param, name in more.items()},
        "linear": {"weight": linear, "bias": Param((separator + bias,))},
    }


def _one(templates: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    return {role: (name,) for role, name in templates.items()}


def _dense(names: str, pattern: str) -> dict[str, str]:
    """The four roles of a dense layer: the pattern with each of the names in place of ``*``."""
    return {role: pattern.replace("*", name) for role, name in zip(DENSE_LAYER, names.split())}


_TORCH = _params(".", STATISTICS, Param((".weight",)), Param((".weight",)), num_batches_tracked="num_batches_tracked")
_KERAS_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
_KERAS = _params("/", _KERAS_NORM, Param(("/kernel",), "hwio"), Param(("/kernel",), "hwio_matrix"))
_KERAS3 = _params(".", _KERAS_NORM, Param((".kernel",), "hwio"), Param((".kernel",), "hwio_matrix"))
_MINDSPORE = _params(".", _KERAS_NORM, Param((".weight",)), Param((".weight",)))
_CHAINER = _params("/", ("gamma", "beta", "avg_mean", "avg_var"), Param(("/W",)), Param(("/W",)), bias="b")
_GLUON = ("gamma", "beta", "running_mean", "running_var")
_GLUON_PARAMS = _params(".", _GLUON, Param((".weight",)), Param((".weight",)))
_PADDLE = _params(".", ("weight", "bias", "_mean", "_variance"), Param((".weight",)), Param((".weight",), "transposed"))
_ROTATED: Params = {**_KERAS, "conv": {"weight": Param(("/kernel",), "hwio_rotated")}}
_FLYYUFELIX: Params = {
    **_KERAS,
    "norm": {
        "weight": Param(("_bn/gamma", "_scale/gamma"), "product"),
        "bias": Param(("_bn/beta", "_scale/gamma", "_scale/beta"), "affine"),
        "running_mean": Param(("_bn/moving_mean",)),
        "running_var": Param(("_bn/moving_variance",)),
    },
}

_TORCHVISION = _one(CANONICAL_TEMPLATES) | {
    # fine-tuned heads seen in the field; last_linear: https://github.com/Cadene/pretrained-models.pytorch
    "classifier": ("classifier", "classifier.0", "classifier.1", "fc", "head", "last_linear")
}
_KERAS_NAMES = {
    "stem.conv0": ("conv1_conv", "conv1/conv"),
    "stem.norm0": ("conv1_bn", "conv1/bn"),
    **_one(_dense("0_bn 1_conv 1_bn 2_conv", "conv{stage}_block{layer}_*")),
    "transition.norm": ("pool{stage}_bn",),
    "transition.conv": ("pool{stage}_conv",),
    "final.norm": ("bn",),
    "classifier": ("predictions", "fc1000", LONE_MATRIX),  # a fine-tuned one is dense, dense_1, ... or the user's
}
_CIFAR_PORT = {
    "stem.conv0": "conv1",
    "transition.norm": "trans{block}.bn1",
    "transition.conv": "trans{block}.conv1",
    "final.norm": "bn1",
    "classifier": "fc",
}
_CAFFE_LIKE = {
    "stem.conv0": "conv1",
    "stem.norm0": "conv1",
    "layer.norm1": "conv{stage}_{layer}/x1",
    "layer.conv1": "conv{stage}_{layer}/x1",
    "layer.norm2": "conv{stage}_{layer}/x2",
    "layer.conv2": "conv{stage}_{layer}/x2",
    "transition.norm": "conv{stage}_blk",
    "transition.conv": "conv{stage}_blk",
    "final.norm": "conv{stage}_blk",
    "classifier": "fc6",
}
_UNDERSCORES = {role: (name.replace("/", "_"),) for role, name in _CAFFE_LIKE.items()} | {
    "classifier": ("fc6", "fc", "fc1")
}
_MINDCV = {
    **_one(CANONICAL_TEMPLATES),
    **_one(_dense("norm1 conv1 norm2 conv2", "features.denseblock{block}.cell_list.{layer0}.*")),
    "transition.norm": ("features.transition{block}.features.norm",),
    "transition.conv": ("features.transition{block}.features.conv",),
}
_OSMR = _one(
    {
        "stem.conv0": "features.init_block.conv",
        "stem.norm0": "features.init_block.bn",
        **_dense("conv1.bn conv1.conv conv2.bn conv2.conv", "features.stage{block}.unit{layer}.*"),
        "transition.norm": "features.stage{stage}.trans{stage}.conv.bn",
        "transition.conv": "features.stage{stage}.trans{stage}.conv.conv",
        "final.norm": "features.post_activ.bn",
        "classifier": "output",
    }
)


def _for_small_images(templates: Mapping[str, tuple[str, ...]], stem: str) -> dict[str, tuple[str, ...]]:
    """osmr's names for CIFAR and SVHN: a stem without a norm, and a unit's only convolution without its number."""
    first = {role: (name, name.replace("conv1", "conv", 1)) for role in DENSE_LAYER[:2] for name in templates[role]}
    return {role: names for role, names in templates.items() if role != "stem.norm0"} | first | {"stem.conv0": (stem,)}


_OSMR_CIFAR = _for_small_images(_OSMR, "features.init_block")
_OSMR_GLUON = _one(
    {
        "stem.conv0": "features.0.conv",
        "stem.norm0": "features.0.bn",
        **_dense("conv1.bn conv1.conv conv2.bn conv2.conv", "features.{block}.{in_stage}.*"),
        "transition.norm": "features.{stage}.0.conv.bn",
        "transition.conv": "features.{stage}.0.conv.conv",
        "final.norm": "features.{stage}.bn",
        "classifier": "output.1",
    }
)
_OSMR_SLASHES = {role: tuple(name.replace(".", "/") for name in names) for role, names in _OSMR.items()}
_OSMR_TF2 = _OSMR_SLASHES | {
    "transition.conv": ("features/stage{stage}/trans{stage}/conv",),
    "classifier": ("output1", LONE_MATRIX),
}
_RANKED = {role: (f"{kind}.{{rank}}",) for role, kind in (
    (role, "linear" if role == "classifier" else "norm" if ".norm" in role else "conv") for role in CANONICAL_TEMPLATES
)}  # fmt: skip

_OSMR_POOL = (
    "osmr's code pads the stem's pool as \"same\"; taken as Keras on MXNet has it, which the file was written with and "
    "its figures were measured on: 1 on every side, where TensorFlow pads after the map alone"
)
_LOGITS = "the source's network ends in a softmax; densezoo returns the logits before it"
_LAST_RELU = "with a ReLU after the last norm, which keras_applications 1.0.2 alone lacked"

KEYMAPS = (
    # torchvision/models/densenet.py and timm/models/densenet.py: the canonical names
    # densenetblur121d and densenet264d have the same tensors; so has a 3x3 stem with its pool and without
    KeyMap(
        "torchvision",
        _TORCHVISION,
        _TORCH,
        asks={
            ("stem", "deep"): (
                "aa_layer",
                {
                    "blurpool": "timm's densenetblur121d, 32 channels a layer and blocks of 6, 12, 24, 16",
                    None: "timm's densenet264d and others that pool without a blur",
                },
            ),
            ("stem", "cifar_norm"): (
                "stem",
                {
                    "cifar_norm": "3x3 convolution and norm, and no pool after them",
                    "cifar_pool": "the same with torchvision's pool, as huyvnphan's for CIFAR-10",
                },
            ),
        },
    ),
    # the files that torchvision publishes are from 2017: names with a dot, no num_batches_tracked
    KeyMap(
        "torchvision-legacy",
        _TORCHVISION | _one(_dense("norm.1 conv.1 norm.2 conv.2", "features.denseblock{block}.denselayer{layer}.*")),
        _TORCH,
    ),
    # https://github.com/open-mmlab/mmpretrain mmpretrain/models/backbones/densenet.py
    KeyMap(
        "mmpretrain",
        _one(
            {
                "stem.conv0": "backbone.stem.0",
                "stem.norm0": "backbone.stem.1",
                **_dense("norm1 conv1 norm2 conv2", "backbone.stages.{block0}.block.{layer0}.*"),
                "transition.norm": "backbone.transitions.{block0}.norm",
                "transition.conv": "backbone.transitions.{block0}.conv",
                "final.norm": "backbone.transitions.{block0}.0",
                "classifier": "head.fc",
            }
        ),
        _TORCH,
        protocol="mmpretrain",
    ),
    # https://github.com/gpleiss/efficient_densenet_pytorch models/densenet.py
    KeyMap("gpleiss", _TORCHVISION | {"final.norm": ("features.norm_final",)}, _TORCH),
    # https://github.com/Project-MONAI/MONAI monai/networks/nets/densenet.py
    KeyMap(
        "monai",
        _one(
            {
                **CANONICAL_TEMPLATES,
                **_dense("norm1 conv1 norm2 conv2", "features.denseblock{block}.denselayer{layer}.layers.*"),
                "classifier": "class_layers.out",
            }
        ),
        _TORCH,
    ),
    # https://github.com/osmr/pytorchcv pytorchcv/models/densenet.py and densenet_cifar.py
    KeyMap("pytorchcv", _OSMR, _TORCH, {"head_pool": 7}),
    KeyMap("pytorchcv-cifar", _OSMR_CIFAR, _TORCH, {"head_pool": 8}),
    # its ports: https://github.com/osmr/imgclsmob gluon/gluoncv2/models/densenet.py, as save_parameters names it
    KeyMap("osmr-gluon", _OSMR_GLUON, _GLUON_PARAMS, {"head_pool": 7}),
    KeyMap("osmr-gluon-cifar", _for_small_images(_OSMR_GLUON, "features.0"), _GLUON_PARAMS, {"head_pool": 8}),
    # chainer_/chainercv2/models/densenet.py: every norm's epsilon is given as 1e-5, but the stem's is Chainer's, 2e-5
    KeyMap(
        "osmr-chainer",
        _OSMR_SLASHES | {"classifier": ("output/fc",)},
        _CHAINER | {"stem.norm0": {**_CHAINER["norm"], "running_var": Param(("/avg_var",), "plus_1e-5")}},
        {"head_pool": 7},
    ),
    KeyMap(
        "osmr-chainer-cifar",
        _for_small_images(_OSMR_SLASHES, "features/init_block") | {"classifier": ("output/fc",)},
        _CHAINER,
        {"head_pool": 8},
    ),
    # keras_/kerascv/models/densenet.py
    KeyMap("osmr-keras", _OSMR_SLASHES, _KERAS, {"head_pool": 7}, notes=(_OSMR_POOL,), requires={"backend": "mxnet"}),
    # tensorflow_/tensorflowcv/models/densenet.py; edges reflected for the stem's pool add nothing to a 3x3 maximum
    KeyMap(
        "osmr-tf1",
        _OSMR_SLASHES,
        _params(
            "/",
            ("gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"),
            Param(("/kernel:0",), "hwio"),
            Param(("/kernel:0",), "hwio_matrix"),
            bias="bias:0",
        ),
        {"head_pool": 7},
    ),
    # tensorflow2_/tf2cv/models/densenet.py; zeros around the stem's pool are no larger than a ReLU's outputs
    KeyMap("osmr-tf2", _OSMR_TF2, _KERAS, {"head_pool": 7}, shows={"stem": "imagenet"}),
    KeyMap(
        "osmr-tf2-cifar",
        _for_small_images(_OSMR_TF2, "features/init_block/conv")
        | {"layer.conv1": ("features/stage{block}/unit{layer}/conv1/conv", "features/stage{block}/unit{layer}/conv")},
        _KERAS,
        {"head_pool": 8},
    ),
    # https://github.com/andreasveit/densenet-pytorch densenet.py; DICE and other CIFAR work build on it
    KeyMap(
        "andreasveit",
        _one(_CIFAR_PORT | _dense("bn1 conv1 bn2 conv2", "block{block}.layer.{layer0}.*")),
        _TORCH,
        semantics={"head_pool": 8},
    ),
    # https://github.com/bamos/densenet.pytorch densenet.py
    KeyMap(
        "bamos",
        _one(_CIFAR_PORT | _dense("bn1 conv1 bn2 conv2", "dense{block}.{layer0}.*")),
        _TORCH,
        semantics={"head_pool": 8},
        notes=(_LOGITS,),
    ),
    # https://github.com/bearpaw/pytorch-classification models/cifar/densenet.py
    KeyMap(
        "bearpaw",
        _one(_CIFAR_PORT | _dense("bn1 conv1 bn2 conv2", "dense{block}.{layer0}.*") | {"final.norm": "bn"}),
        _TORCH,
        {"head_pool": 8},
    ),
    # https://github.com/keras-team/keras keras/src/applications/densenet.py, written with Theano: see tensor_ops
    KeyMap(
        "keras-theano",
        _KERAS_NAMES,
        _ROTATED,
        {"bn_eps": 1.001e-5},
        "keras",
        (_LOGITS,),
        requires={"backend": "theano"},
    ),
    KeyMap("keras", _KERAS_NAMES, _KERAS, {"bn_eps": 1.001e-5}, "keras", (_LOGITS,), _LAST_RELU),
    # https://github.com/keras-team/keras-cv keras_cv/models/densenet.py, 2022 and 2023, and not the backbones since
    KeyMap(
        "kerascv",
        _KERAS_NAMES | _one(_dense("0_bn 1_conv 1_bn 2_conv", "conv{stage}_block_{layer0}_*")),
        _KERAS,
        {"bn_eps": 1.001e-5, "stem_padding": "same", "pool_padding": "same"},
        notes=(_LOGITS, "images are RGB, 0..255, times 1/255: no mean and no standard deviation"),
        explains={"rescaling": "times 1/255, which the protocol does"},
    ),
    # https://github.com/keras-team/keras-hub keras_hub/src/models/densenet/densenet_backbone.py, in a classifier
    KeyMap(
        "kerashub",
        _RANKED,
        _KERAS3,
        {"bn_eps": 1.001e-5, "stem_padding": "same", "pool_padding": "same"},
        notes=("the head may end in a softmax; densezoo returns the logits before it",),
        requires={"model": "dense_net_backbone"},
    ),
    # https://github.com/titu1994/DenseNet densenet.py, whose layers have the names that Keras gives
    KeyMap(
        "titu1994",
        _RANKED,
        _KERAS3,
        {"bn_eps": 1.1e-5, "stem_padding": "same", "pool_padding": "same"},
        notes=(_LOGITS,),
        requires={"names": "numbered", "backend": "tensorflow"},
        asks={
            ("stem", "imagenet"): ("stem_padding", {"same": "titu1994's for ImageNet, whose pool pads so, too"}),
            ("stem", "cifar"): (
                "bn_eps",
                {1e-3: "titu1994's before its release v3.0, as Keras's layers have it", 1.1e-5: "its later ones"},
            ),
        },
    ),
    # Keras 3's .weights.h5 and .keras number the layers of a class
    KeyMap(
        "keras3",
        _RANKED,
        _KERAS3,
        {"bn_eps": 1.001e-5},
        "keras",
        (_LOGITS,),
        _LAST_RELU,
    ),
    # https://github.com/flyyufelix/DenseNet-Keras densenet121.py: a Scale layer after each norm, as in Caffe
    KeyMap(
        "flyyufelix-theano",
        _UNDERSCORES,
        {**_FLYYUFELIX, "conv": _ROTATED["conv"]},
        {"bn_eps": 1.1e-5},
        "caffe",
        (_LOGITS,),
        requires={"backend": "theano"},
    ),
    KeyMap("flyyufelix", _UNDERSCORES, _FLYYUFELIX, {"bn_eps": 1.1e-5}, "caffe", (_LOGITS,)),
    # https://github.com/pudae/tensorflow-densenet nets/densenet.py, weights from flyyufelix's
    KeyMap(
        "pudae",
        _one(
            {
                "stem.conv0": "conv1",
                "stem.norm0": "BatchNorm",
                **_dense("x1/BatchNorm x1/Conv x2/BatchNorm x2/Conv", "dense_block{block}/conv_block{layer}/*"),
                "transition.norm": "transition_block{block}/blk/BatchNorm",
                "transition.conv": "transition_block{block}/blk/Conv",
                "final.norm": "final_block/BatchNorm",
                "classifier": "logits",
            }
        ),
        _params("/", _KERAS_NORM, Param(("/weights",), "hwio"), Param(("/weights",), "hwio_matrix"), bias="biases"),
        {"bn_eps": 1.1e-5, "stem_padding": "same", "pool_padding": "same"},
        notes=("images are RGB, 0..255, minus (123.68, 116.78, 103.94), times 0.017",),
    ),
    # https://github.com/shicai/DenseNet-Caffe
    KeyMap(
        "caffe",
        _one(_CAFFE_LIKE),
        {
            "conv": {"weight": Param(("/0",))},
            "norm": {
                "weight": Param(("/scale/0",), "vector"),
                "bias": Param(("/scale/1",), "vector"),
                "running_mean": Param(("/bn/0", "/bn/2"), "divided"),
                "running_var": Param(("/bn/1", "/bn/2"), "divided"),
            },
            "linear": {"weight": Param(("/0",), "matrix"), "bias": Param(("/1",), "vector")},
        },
        {"ceil_mode": True, "stem_ceil_mode": False},
        "caffe",
        ("images are BGR, 0..255, minus (103.94, 116.78, 123.68), times 0.017",),
    ),
    # https://github.com/facebookarchive/models densenet121/predict_net.pbtxt, from Caffe; its pools round down
    KeyMap(
        "caffe2",
        _one(_CAFFE_LIKE),
        {
            "conv": {"weight": Param(("_w",))},
            "norm": {
                "weight": Param(("/bn_scale", "/bn_w"), "product"),
                "bias": Param(("/bn_bias", "/bn_w", "/bn_b"), "affine"),
                "running_mean": Param(("/bn_mean",)),
                "running_var": Param(("/bn_var",)),
            },
            "linear": {"weight": Param(("_w",), "matrix"), "bias": Param(("_b",))},
        },
        protocol="caffe",
        notes=("images are BGR, 0..255, minus (103.94, 116.78, 123.68), times 0.017",),
    ),
    # https://github.com/miraclewkf/DenseNet symbol_densenet.py, weights from Caffe
    KeyMap(
        "miraclewkf",
        _UNDERSCORES,
        {
            "conv": {"weight": Param(("_weight",))},
            "norm": {
                "weight": Param(("_bn_gamma",)),
                "bias": Param(("_bn_beta",)),
                "running_mean": Param(("_bn_moving_mean",)),
                "running_var": Param(("_bn_moving_var",)),
            },
            "linear": {"weight": Param(("_weight",), "matrix"), "bias": Param(("_bias",), "vector")},
        },
        {"bn_eps": 1e-4, "ceil_mode": True},
        notes=(_LOGITS,),
    ),
    # https://github.com/apache/mxnet python/mxnet/gluon/model_zoo/vision/densenet.py
    KeyMap(
        "gluon",
        _one(
            {
                "stem.conv0": "features.0",
                "stem.norm0": "features.1",
                **_dense("0 2 3 5", "features.{block2_2}.{layer0}.1.*"),
                "transition.norm": "features.{block2_3}.0",
                "transition.conv": "features.{block2_3}.2",
                "final.norm": "features.{block2_3}",
                "classifier": "output",
            }
        ),
        _params(".", _GLUON, Param((".weight",)), Param((".weight",))),
        {"head_pool": 7},
    ),
    # the same before MXNet 1.6 and as exported to a symbol
    KeyMap(
        "gluon-legacy",
        _one(
            {
                "stem.conv0": "conv0",
                "stem.norm0": "batchnorm0",
                **_dense("batchnorm{even} conv{even} batchnorm{odd} conv{odd}", "stage{block}_*"),
                "transition.norm": "batchnorm{block}",
                "transition.conv": "conv{block}",
                "final.norm": "batchnorm{block}",
            }
        )
        | {"classifier": ("dense0", LONE_MATRIX)},  # a new one is dense1, or under another prefix
        _params("_", _GLUON, Param(("_weight",)), Param(("_weight",))),
        {"head_pool": 7},
    ),
    # https://github.com/mindspore-lab/mindcv mindcv/models/densenet.py
    KeyMap("mindcv", _MINDCV, _MINDSPORE, protocol="mindcv"),
    # https://gitee.com/mindspore/vision mindvision/classification/models/backbones/densenet.py
    KeyMap(
        "mindvision",
        {role: (f"backbone.{names[0]}",) for role, names in _MINDCV.items()} | {"classifier": ("head.dense",)},
        _MINDSPORE,
        {"transition_pool": "max", "pool_padding": "same"},
        "mindvision",
    ),
    # https://gitee.com/mindspore/models official/cv/densenet/src/network/densenet.py, whose files MindSpore Hub has
    KeyMap(
        "mindspore-official",
        {role: (f"backbone.{names[0]}",) for role, names in _MINDCV.items()} | {"classifier": ("head.fc",)},
        _MINDSPORE,
        {"transition_pool": "max", "pool_padding": "same"},
        asks={
            ("stem", "cifar_norm"): (
                "transition_pool",
                {"avg": "its densenet100 for CIFAR-10", "max": "one of the others with a 3x3 stem"},
            )
        },
    ),
    # https://github.com/tinyms-ai/tinyms tinyms/model/densenet100.py, its variant for CIFAR: "same" average pooling
    KeyMap(
        "tinyms",
        _one(
            {
                "stem.conv0": "features.0",
                "stem.norm0": "features.1",
                **_dense("0 2 3 5", "features.{block2_1}.layer.{layer0}.layer.*"),
                "transition.norm": "features.{block2_2}.layer.0",
                "transition.conv": "features.{block2_2}.layer.2",
                "final.norm": "norm",
                "classifier": "end_point",
            }
        ),
        _MINDSPORE,
        {"bn_eps": 1e-4, "ceil_mode": True},
    ),
    # https://github.com/PaddlePaddle/Paddle python/paddle/vision/models/densenet.py
    KeyMap(
        "paddle",
        _one(
            {
                "stem.conv0": "conv1_func._conv",
                "stem.norm0": "conv1_func._batch_norm",
                **_dense(
                    "1._batch_norm 1._conv 2._batch_norm 2._conv", "db_conv_{stage}.conv{stage}_{layer}.bn_ac_func*"
                ),
                "transition.norm": "tr_conv{stage}_blk.conv_ac_func._batch_norm",
                "transition.conv": "tr_conv{stage}_blk.conv_ac_func._conv",
                "final.norm": "batch_norm",
                "classifier": "out",
            }
        ),
        _PADDLE,
    ),
    # a Chainer network with links norm0, block1, trans1, ..., fc, as save_npz writes it
    KeyMap(
        "chainer",
        _one(
            {
                "stem.conv0": "conv0",
                "stem.norm0": "norm0",
                **_dense("bn1 conv1 bn2 conv2", "block{block}/{layer0}/*"),
                "transition.norm": "trans{block}/bn",
                "transition.conv": "trans{block}/conv",
                "final.norm": "norm5",
                "classifier": "fc",
            }
        ),
        _CHAINER,
        {"bn_eps": 2e-5, "stem_ceil_mode": True},  # chainer.functions.max_pooling_2d covers all by default
    ),
    # ONNX: densezoo.formats.onnx.model names weights by their step's kind and rank
    KeyMap("onnx", _RANKED, _params(".", STATISTICS, Param((".weight",)), Param((".weight",), "matrix"))),
)
