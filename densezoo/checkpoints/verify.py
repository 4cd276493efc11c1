"""Runs a file in the system that it is for, to hold the converted network against it. Only where that is installed."""

from __future__ import annotations

import os
import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densezoo.checkpoints.export import misfits
from densezoo.models.topology import layers
from densezoo.types import Architecture

LARGEST_ERROR = 1e-5  # separated right from wrong in every control that was tried: float32 rounding is 3e-7
Runner = Callable[[Path, Architecture, Tensor], Tensor]


def _state(path: Path) -> Any:
    content = torch.load(path, map_location="cpu", weights_only=True)
    return content.get("state_dict", content)


def _torchvision(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    from torchvision.models import DenseNet

    assert arch.bn_size is not None, "the torchvision table has a bottleneck"
    sides = (arch.growth_rate, arch.block_config, arch.num_init_features, arch.bn_size, 0.0, arch.num_classes)
    model = DenseNet(*sides)
    model.load_state_dict(_state(path))
    logits: Tensor = model.eval()(images)
    return logits


def _timm(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    from timm.layers.blur_pool import BlurPool2d
    from timm.models.densenet import DenseNet

    options: dict[str, Any] = {"bn_size": arch.bn_size, "aa_stem_only": arch.aa_stem_only, "in_chans": arch.in_chans}
    options |= {"stem_type": "deep" if arch.stem == "deep" else "", "aa_layer": BlurPool2d if arch.aa_layer else None}
    model = DenseNet(arch.growth_rate, arch.block_config, num_classes=arch.num_classes, **options)
    model.load_state_dict(_state(path))
    logits: Tensor = model.eval()(images)
    return logits


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
    load_checkpoint(model, str(path), map_location="cpu", strict=True, logger="silent")
    logits: Tensor = model.eval()(images)
    return logits


def _onnx(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {session.get_inputs()[0].name: images.numpy()})[0])


def _keras(path: Path, arch: Architecture, images: Tensor) -> Tensor:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras.saving.load_model(path, compile=False)  # its default refuses to run code from the file
    return torch.as_tensor(model(images.permute(0, 2, 3, 1).numpy()).detach().cpu().numpy())


#: {source or target: how to run a file of it}.
SYSTEMS: dict[str, Runner] = {
    "torchvision": _torchvision, "timm": _timm, "mmpretrain": _mmpretrain, "onnx": _onnx, "keras": _keras,
}  # fmt: skip


def system_of(source: str, arch: Architecture) -> str:
    """The system that runs files of a source: torchvision's names are timm's, too, and its networks fewer."""
    return "timm" if source == "torchvision" and misfits("torchvision", arch) else source


def largest_error(system: str, path: Path, model: torch.nn.Module, arch: Architecture, images: Tensor) -> float | None:
    """The largest difference of the two networks' logits, relative to the largest logit.

    Returns:
        None where the system isn't installed, doesn't load the file as it is (a training script's wrapper), or isn't
        one that densezoo can run.
    """
    if system not in SYSTEMS:
        return None
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the systems themselves, as they are imported
        expected = model(images)
        try:
            found = SYSTEMS[system](path, arch, images)
        except (ImportError, RuntimeError, pickle.UnpicklingError):
            return None
    return float((found.double() - expected.double()).abs().max() / expected.double().abs().max())
