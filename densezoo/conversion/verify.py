"""Runs a file in the system that it is for, to hold the converted network against it. Only where that is installed."""

from __future__ import annotations

import os
import pickle
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densezoo.conversion.export import misfits
from densezoo.conversion.match import recognise
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.timm import named_by_timm
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Architecture

LARGEST_ERROR = 1e-5  # separated right from wrong in every control that was tried: float32 rounding is 3e-7
_NAMES_OF_2017 = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
Runner = Callable[[Path, Architecture, Tensor], Tensor]


def _state(path: Path) -> dict[str, Tensor]:
    """The file as its system reads it; what that can't (a wrapper, TorchScript, names of 2017), as densezoo does."""
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, pickle.UnpicklingError):
        content = None
    prefix = ""
    if not isinstance(content, dict) or not all(isinstance(value, Tensor) for value in content.values()):
        checkpoint = read_checkpoint(path)
        content, prefix = checkpoint.tensors, recognise(checkpoint).prefix
    return {_NAMES_OF_2017.sub(r"\1\2", name.removeprefix(prefix)): tensor for name, tensor in content.items()}


def _torchvision(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    from torchvision.models import DenseNet

    assert arch.bn_size is not None, "the torchvision table has a bottleneck"
    sides = (arch.growth_rate, arch.block_config, arch.num_init_features, arch.bn_size, 0.0, arch.num_classes)
    model = DenseNet(*sides)
    model.load_state_dict(_state(path))
    logits: Tensor = model.eval()(images)
    return logits


def _timm(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    """By the name that stands beside the file, or else that of timm's network with these tensors.

    What no tensor shows is then timm's own word. Where timm has no such network, it is the conversion's.
    """
    import timm

    state = _state(path)
    sizes: dict[str, Any] = {
        "num_classes": len(state["classifier.bias"]),
        "in_chans": state["features.conv0.weight"].shape[1],
    }
    named = [
        (network.name, {**sizes, **network.arguments})
        for network in named_by_timm(read_checkpoint(path)).described
        if timm.is_model(network.name)
    ]
    for name, arguments in named or [(name, sizes) for name in _namesakes(state, sizes)]:
        model = timm.create_model(name, **arguments)
        break
    else:
        model = _converted_in_timm(arch)
    model.load_state_dict(state)
    logits: Tensor = model.eval()(images)
    return logits


def _converted_in_timm(arch: Architecture) -> torch.nn.Module:
    from timm.layers.blur_pool import BlurPool2d
    from timm.models.densenet import DenseNet

    options: dict[str, Any] = {"bn_size": arch.bn_size, "aa_stem_only": arch.aa_stem_only, "in_chans": arch.in_chans}
    options |= {"stem_type": "deep" if arch.stem == "deep" else "", "aa_layer": BlurPool2d if arch.aa_layer else None}
    model: torch.nn.Module = DenseNet(arch.growth_rate, arch.block_config, num_classes=arch.num_classes, **options)
    return model


def _namesakes(state: Mapping[str, Tensor], sizes: Mapping[str, Any]) -> Iterator[str]:
    """timm's DenseNets that have these tensors."""
    import timm

    shapes = {name: tensor.shape for name, tensor in state.items() if "num_batches" not in name}
    for name in timm.list_models(module="densenet"):
        theirs = timm.create_model(name, device="meta", **sizes).state_dict()
        if {key: tensor.shape for key, tensor in theirs.items() if "num_batches" not in key} == shapes:
            yield name


def _mmpretrain(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    from mmengine.runner import load_checkpoint
    from mmpretrain.models import ImageClassifier

    sides = {"growth_rate": arch.growth_rate, "depths": arch.block_config, "init_channels": arch.num_init_features}
    channels = [layer.in_channels for layer in layers(arch)][-1]
    model = ImageClassifier(
        backbone={
            "type": "DenseNet",
            "arch": sides,
            "in_channels": arch.in_chans,
            "bn_size": arch.bn_size,
            "compression_factor": arch.reduction,
        },
        neck={"type": "GlobalAveragePooling"},
        head={"type": "LinearClsHead", "num_classes": arch.num_classes, "in_channels": channels},
    )
    try:
        load_checkpoint(model, str(path), map_location="cpu", strict=True, logger="silent")
    except pickle.UnpicklingError:  # its own Runner's file, since torch 2.6
        model.load_state_dict(_state(path))
    logits: Tensor = model.eval()(images)
    return logits


def _onnx(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0])


def _keras(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    if path.suffix == ".keras":
        model = keras.saving.load_model(path, compile=False)  # its default refuses to run code from the file
    else:  # weights
        from keras.src.applications.densenet import DenseNet

        shape = (*images.shape[2:], arch.in_chans)
        model = DenseNet(
            list(arch.block_config), weights=None, input_shape=shape, classes=arch.num_classes,
            classifier_activation=None,
        )  # fmt: skip
        model.load_weights(path)
    return torch.as_tensor(model(images.permute(0, 2, 3, 1).numpy()).detach().cpu().numpy())


def _mindcv(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    import mindspore
    from mindcv.models.densenet import DenseNet

    sides = (arch.growth_rate, arch.block_config, arch.num_init_features, arch.bn_size)
    model = DenseNet(*sides, in_channels=arch.in_chans, num_classes=arch.num_classes)
    mindspore.load_param_into_net(model, mindspore.load_checkpoint(str(path)))
    return torch.from_numpy(model.set_train(False)(mindspore.Tensor(images.numpy())).asnumpy())


def _paddle(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    import paddle

    depth = 2 * sum(arch.block_config) + len(arch.block_config) + 1
    model = paddle.vision.models.DenseNet(layers=depth, num_classes=arch.num_classes)
    missing, unexpected = model.set_state_dict(  # paddle.load would run a pickle
        {name: paddle.to_tensor(tensor.numpy()) for name, tensor in read_checkpoint(path).tensors.items()}
    )
    if missing or unexpected:
        raise ValueError(f"{len(missing)} tensors missing, {len(unexpected)} unexpected")
    model.eval()
    return torch.from_numpy(model(paddle.to_tensor(images.numpy())).numpy())


#: {source or target: how to run a file of it}.
SYSTEMS: dict[str, Runner] = {
    "torchvision": _torchvision, "timm": _timm, "mmpretrain": _mmpretrain, "onnx": _onnx, "keras": _keras,
    "mindcv": _mindcv, "paddle": _paddle,
}  # fmt: skip
#: {source: the system whose names it has in another layout or version}.
_VARIANTS = {"torchvision-legacy": "torchvision", "keras3": "keras"}


def system_of(source: str, path: Path, arch: Architecture) -> str:
    """The system that runs a source's file: torchvision's names are timm's, too, and its networks fewer."""
    system = _VARIANTS.get(source, source)
    if system == "torchvision" and (misfits("torchvision", arch) or named_by_timm(read_checkpoint(path)).described):
        return "timm"
    return system


def largest_error(system: str, path: Path, model: torch.nn.Module, arch: Architecture, images: Tensor) -> float | str:
    """The largest difference of the two networks' logits, relative to the largest logit.

    Returns:
        Why it was not run, where the system isn't installed, has no such network, doesn't take the file or the
        images, or isn't one that densezoo can run.
    """
    if system not in SYSTEMS:
        return "densezoo can't run this system"
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the systems themselves, as they are imported
        expected = model(images)
        try:
            found = SYSTEMS[system](path, arch, images)
        except ImportError as error:
            return f"not installed: {error.name or system}"
        except (RuntimeError, ValueError, TypeError, KeyError, AssertionError, pickle.UnpicklingError) as error:
            return f"{system} doesn't take it: {' '.join(str(error).split())[:160]}"
    if found.min() >= 0 and torch.allclose(found.sum(1), torch.ones(len(found)), atol=1e-4):
        expected = expected.softmax(1)  # a whole model ends in one
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())
