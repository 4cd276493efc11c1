"""What each system can express of a DenseNet, and how it builds, runs and writes one: one row a system.

All builders' networks have torchvision's names of tensors, so that the state_dict of one loads into another; with the
same weights they compute the same function.
"""

from __future__ import annotations

import os
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from densezoo.families.densenet import FAMILY
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.computation import computation
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet
from densezoo.families.systems import (
    TORCH_EXTENSIONS,
    System,
    Values,
    WeightFile,
    computed,
    torch_writer,
    write_densezoo,
)
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.keras.writer import write_keras
from densezoo.formats.onnx.writer import write_onnx
from densezoo.imports import import_mmengine

_TIMM_STEMS = {"imagenet": "", "deep": "deep"}  # {stem: timm's word for it}
_NAMES_OF_2017 = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")


def _build_timm(arch: DenseNetArchitecture) -> nn.Module:
    return _with_eps(_timm_network(arch), arch.bn_eps)


def _timm_network(arch: DenseNetArchitecture) -> nn.Module:
    """timm's network with timm's epsilon."""
    from timm.layers.blur_pool import BlurPool2d
    from timm.models.densenet import DenseNet as TimmDenseNet

    assert arch.bn_size is not None, "refused before"
    network: nn.Module = TimmDenseNet(
        growth_rate=arch.growth_rate,
        block_config=arch.block_config,
        bn_size=arch.bn_size,
        stem_type=_TIMM_STEMS[arch.stem],
        aa_layer=BlurPool2d if arch.aa_layer else None,
        aa_stem_only=arch.aa_stem_only,
        in_chans=arch.in_chans,
        num_classes=arch.num_classes,
    )
    return network


def _build_torchvision(arch: DenseNetArchitecture) -> nn.Module:
    return _with_eps(_torchvision_network(arch), arch.bn_eps)


def _torchvision_network(arch: DenseNetArchitecture) -> nn.Module:
    """torchvision's network with torch's epsilon."""
    from torchvision.models import DenseNet as TorchvisionDenseNet

    assert arch.bn_size is not None, "refused before"
    network: nn.Module = TorchvisionDenseNet(
        growth_rate=arch.growth_rate,
        block_config=arch.block_config,
        num_init_features=arch.num_init_features,
        bn_size=arch.bn_size,
        num_classes=arch.num_classes,
    )
    return network


def _with_eps(network: nn.Module, eps: float) -> nn.Module:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = eps
    return network


def _torchvision_names(file: WeightFile) -> dict[str, Tensor]:
    """The file's tensors, those with names of 2017 under today's."""
    return {_NAMES_OF_2017.sub(r"\1\2", name): tensor for name, tensor in file.tensors().items()}


def _logits(network: nn.Module, state_dict: Mapping[str, Tensor], images: Tensor) -> Tensor:
    network.load_state_dict(state_dict)
    logits: Tensor = network.eval()(images)
    return logits


def _run_torchvision(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    return _logits(_torchvision_network(arch), _torchvision_names(file), images)


def _run_timm(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    """Run the network that the file names, or else timm's network with the same tensors.

    What no tensor shows is then as in timm. If timm has no such network, it is as the conversion decided.
    """
    import timm

    state = _torchvision_names(file)
    sizes: dict[str, Any] = {
        "num_classes": len(state["classifier.bias"]),
        "in_chans": state["features.conv0.weight"].shape[1],
    }
    named = [
        (network.name, {**sizes, **network.arguments}) for network in file.described() if timm.is_model(network.name)
    ]
    for name, arguments in named or [(name, sizes) for name in _namesakes(state, sizes)]:
        return _logits(timm.create_model(name, **arguments), state, images)
    return _logits(_timm_network(arch), state, images)


def _namesakes(state: Mapping[str, Tensor], sizes: Mapping[str, Any]) -> Iterator[str]:
    """timm's DenseNets that have these tensors."""
    import timm

    shapes = {name: tensor.shape for name, tensor in state.items() if "num_batches" not in name}
    for name in timm.list_models(module="densenet"):
        theirs = timm.create_model(name, device="meta", **sizes).state_dict()
        if {key: tensor.shape for key, tensor in theirs.items() if "num_batches" not in key} == shapes:
            yield name


def _run_mmpretrain(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    import_mmengine()
    from mmengine.registry import DefaultScope
    from mmengine.runner import load_checkpoint
    from mmpretrain.models import ImageClassifier

    sides = {"growth_rate": arch.growth_rate, "depths": arch.block_config, "init_channels": arch.num_init_features}
    channels = [layer.in_channels for layer in layers(arch)][-1]
    backbone = {
        "type": "DenseNet",
        "arch": sides,
        "in_channels": arch.in_chans,
        "bn_size": arch.bn_size,
        "compression_factor": arch.reduction,
    }
    head = {"type": "LinearClsHead", "num_classes": arch.num_classes, "in_channels": channels}
    with DefaultScope.overwrite_default_scope("mmpretrain"):  # a training in this process has set mmengine's own
        model = ImageClassifier(backbone=backbone, neck={"type": "GlobalAveragePooling"}, head=head)
    try:
        load_checkpoint(model, str(file.path), map_location="cpu", strict=True, logger="silent")
    except pickle.UnpicklingError:  # its own Runner's file, since torch 2.6
        model.load_state_dict(file.tensors())
    logits: Tensor = model.eval()(images)
    return logits


def _run_onnx(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file.path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0])


def _run_keras(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    if file.path.suffix == ".keras":
        model = keras.saving.load_model(file.path, compile=False)  # its default refuses to run code from the file
    else:  # weights
        from keras.src.applications.densenet import DenseNet as KerasDenseNet

        shape = (*images.shape[2:], arch.in_chans)
        model = KerasDenseNet(
            list(arch.block_config), weights=None, input_shape=shape, classes=arch.num_classes,
            classifier_activation=None,
        )  # fmt: skip
        model.load_weights(file.path)
    return torch.as_tensor(model(images.permute(0, 2, 3, 1).numpy()).detach().cpu().numpy())


def _run_mindcv(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    import mindspore
    from mindcv.models.densenet import DenseNet as MindcvDenseNet

    sides = (arch.growth_rate, arch.block_config, arch.num_init_features, arch.bn_size)
    model = MindcvDenseNet(*sides, in_channels=arch.in_chans, num_classes=arch.num_classes)
    mindspore.load_param_into_net(model, mindspore.load_checkpoint(str(file.path)))
    return torch.from_numpy(model.set_train(False)(mindspore.Tensor(images.numpy())).asnumpy())


def _run_paddle(file: WeightFile, arch: DenseNetArchitecture, images: Tensor) -> Tensor:
    import paddle

    depth = 2 * sum(arch.block_config) + len(arch.block_config) + 1
    model = paddle.vision.models.DenseNet(layers=depth, num_classes=arch.num_classes)
    tensors = {name: paddle.to_tensor(tensor.numpy()) for name, tensor in read_checkpoint(file.path).tensors.items()}
    missing, unexpected = model.set_state_dict(tensors)  # paddle.load would run a pickle
    if missing or unexpected:
        raise ValueError(f"{len(missing)} tensors missing, {len(unexpected)} unexpected")
    model.eval()
    return torch.from_numpy(model(paddle.to_tensor(images.numpy())).numpy())


_TORCH: Values = {
    "transition_pool": ("avg",), "stem_padding": ("torch",), "pool_padding": ("torch",),
    "ceil_mode": (False,), "stem_ceil_mode": (None, False), "head_pool": (None,),
}  # fmt: skip
_USUAL_EPS: Values = {"bn_eps": (1e-5,)}  # networks with other epsilons can be built, but no file states the epsilon
#: Their dropout is only after a layer's last convolution; densezoo's is after every convolution.
_NO_DROPOUT: Values = {"drop_rate": (0.0,)}
_PLAIN = {"layers without bottleneck": lambda arch: arch.bn_size is None}

SYSTEMS: Mapping[str, System[DenseNetArchitecture]] = {
    "densezoo": System(build=DenseNet, write=write_densezoo, extensions=(".safetensors",)),
    "torchvision": System(
        only={**_TORCH, "stem": ("imagenet",), "reduction": (0.5,), "aa_layer": (None,), "in_chans": (3,)},
        only_built=_NO_DROPOUT,
        only_stored=_USUAL_EPS,
        cannot=_PLAIN,
        build=_build_torchvision,
        run=_run_torchvision,
        sources=("torchvision-legacy",),
        write=torch_writer(FAMILY, "torchvision"),
        extensions=TORCH_EXTENSIONS,
    ),
    "timm": System(
        only={**_TORCH, "stem": tuple(_TIMM_STEMS), "reduction": (0.5,)},
        only_built=_NO_DROPOUT,
        only_stored=_USUAL_EPS,
        cannot={
            **_PLAIN,
            "num_init_features other than 2 x growth_rate": lambda arch: arch.num_init_features != 2 * arch.growth_rate,
        },
        build=_build_timm,
        run=_run_timm,
        sources=("torchvision", "torchvision-legacy"),  # timm uses their names, for more networks than torchvision
        write=torch_writer(FAMILY, "torchvision"),
        extensions=TORCH_EXTENSIONS,
    ),
    "mmpretrain": System(
        only={**_TORCH, "stem": ("imagenet",), "aa_layer": (None,)},
        only_stored=_USUAL_EPS,
        cannot=_PLAIN,
        run=_run_mmpretrain,
        write=torch_writer(FAMILY, "mmpretrain", lambda tensors: {"meta": {}, "state_dict": tensors}),
        extensions=TORCH_EXTENSIONS,
    ),
    "onnx": System(
        only={"aa_layer": (None,), "stem_padding": ("torch",), "pool_padding": ("torch",)},
        run=_run_onnx,
        write=computed(computation, write_onnx),
        extensions=(".onnx",),
    ),
    "keras": System(
        only={"aa_layer": (None,), "head_pool": (None,), "stem_ceil_mode": (None, False)},
        cannot={
            "ceil_mode in the stem": lambda arch: (
                arch.ceil_mode and arch.stem_layout.pool and arch.stem_ceil_mode is None
            )
        },
        run=_run_keras,
        sources=("keras3",),
        write=computed(computation, write_keras),
        extensions=(".keras",),
    ),
    "mindcv": System(run=_run_mindcv),
    "paddle": System(run=_run_paddle),
}
