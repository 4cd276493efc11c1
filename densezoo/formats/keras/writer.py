"""A DenseNet as a ``.keras`` file (keras/src/saving/saving_lib.py), written without Keras; the epsilon goes with it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import STEMS, layers

_CLASSES = {"Conv2D": "conv2d", "BatchNormalization": "batch_normalization", "Dense": "dense"}
_DATE = (1980, 1, 1, 0, 0, 0)  # equal weights give equal files


def write_keras(
    path: Path, arch: DenseNetArchitecture, state_dict: Mapping[str, Tensor], facts: Mapping[str, object]
) -> None:
    """Write images (N, H, W, in_chans) -> logits (N, num_classes), for ``load_model`` of Keras 3.6 or later.

    Raises:
        FormatError: h5py is missing.
    """
    try:
        import h5py
    except ImportError:
        raise FormatError(f"{path}: writing Keras files needs h5py: pip install 'densezoo[formats]'") from None
    model = _Model(arch, state_dict)
    model.network()
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for (class_name, rank), values in model.weights.items():
            group = file.create_group(f"layers/{class_name}{f'_{rank}' if rank else ''}/vars")
            for i, value in enumerate(values):
                group.create_dataset(str(i), data=value.contiguous().numpy(), track_times=False)
    metadata = {"keras_version": "3.0.0", "date_saved": "", "densezoo": facts}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in (
            ("metadata.json", json.dumps(metadata, sort_keys=True).encode()),
            ("config.json", json.dumps(model.config()).encode()),
            ("model.weights.h5", buffer.getvalue()),
        ):
            archive.writestr(zipfile.ZipInfo(name, _DATE), content)


class _Model:
    """Adds layers one after the other; ``at`` is the last."""

    def __init__(self, arch: DenseNetArchitecture, state_dict: Mapping[str, Tensor]) -> None:
        self.arch, self.state_dict = arch, state_dict
        self.layers: list[dict[str, Any]] = []
        self.weights: dict[tuple[str, int], list[Tensor]] = {}
        self.shapes: dict[str, list[int | None]] = {}
        self.at = "images"
        self.shapes["images"] = [None, None, None, arch.in_chans]
        self._append("InputLayer", {"name": "images", "batch_shape": self.shapes["images"], "dtype": "float32"}, [])

    def _append(self, kind: str, config: dict[str, Any], inbound: list[Any]) -> None:
        entry = {"module": "keras.layers", "class_name": kind, "config": config, "registered_name": None}
        self.layers.append({**entry, "name": config["name"], "inbound_nodes": inbound})

    def add(self, kind: str, channels: int, inputs: list[str] | None = None, **config: Any) -> None:
        name = f"{kind.lower()}_{len(self.layers)}"
        tensors = [
            {
                "class_name": "__keras_tensor__",
                "config": {"shape": self.shapes[key], "dtype": "float32", "keras_history": [key, 0, 0]},
            }
            for key in inputs or [self.at]
        ]
        self._append(kind, {"name": name, **config}, [{"args": [tensors] if inputs else tensors, "kwargs": {}}])
        flat = kind in ("GlobalAveragePooling2D", "Dense")
        self.shapes[name] = [None, channels] if flat else [None, None, None, channels]
        self.at = name

    def weigh(self, kind: str, *values: Tensor) -> None:
        class_name = _CLASSES[kind]
        rank = sum(1 for known, _ in self.weights if known == class_name)
        self.weights[class_name, rank] = list(values)

    def network(self) -> None:
        arch = self.arch
        for layer in layers(arch):
            weight = self.state_dict[f"{layer.name}.weight"]
            if layer.role == "layer.norm1" and layer.index == 1:
                if layer.block == 1 and STEMS[arch.stem].pool:
                    self._stem_pool()
                features = [self.at]
            if layer.role in ("layer.norm1", "transition.norm", "final.norm"):
                self.at = features[0]
                if len(features) > 1:
                    self.add("Concatenate", layer.in_channels, features, axis=-1)
            if layer.kind == "norm":
                self.add("BatchNormalization", layer.out_channels, axis=-1, epsilon=arch.bn_eps)
                params = (f"{layer.name}.{param}" for param in ("weight", "bias", "running_mean", "running_var"))
                self.weigh("BatchNormalization", *(self.state_dict[param] for param in params))
                self.add("Activation", layer.out_channels, activation="relu")
            elif layer.kind == "conv":
                self._conv(layer.out_channels, layer.in_channels, layer.kernel_size, layer.stride)
                self.weigh("Conv2D", weight.permute(2, 3, 1, 0))
            if layer.role == ("layer.conv1" if arch.bn_size is None else "layer.conv2"):
                features.append(self.at)
            if layer.role == "transition.conv":
                kind = {"avg": "AveragePooling2D", "max": "MaxPooling2D"}[arch.transition_pool]
                padding = "same" if arch.ceil_mode else "valid"
                self.add(kind, layer.out_channels, pool_size=[2, 2], strides=[2, 2], padding=padding)
        self.add("GlobalAveragePooling2D", layer.in_channels)
        self.add("Dense", arch.num_classes, units=arch.num_classes, activation="linear", use_bias=True)
        self.weigh("Dense", weight.t(), self.state_dict["classifier.bias"])

    def _conv(self, channels: int, before: int, kernel: int, stride: int) -> None:
        if kernel > 1:
            self.add("ZeroPadding2D", before, padding=[[kernel // 2] * 2] * 2)
        sides: dict[str, Any] = {"kernel_size": [kernel] * 2, "strides": [stride] * 2, "padding": "valid"}
        self.add("Conv2D", channels, filters=channels, use_bias=False, **sides)

    def _stem_pool(self) -> None:
        width = self.arch.num_init_features
        if self.arch.pool_padding == "torch":  # zeros lie below no output of a ReLU
            self.add("ZeroPadding2D", width, padding=[[1, 1], [1, 1]])
        padding = "valid" if self.arch.pool_padding == "torch" else "same"
        self.add("MaxPooling2D", width, pool_size=[3, 3], strides=[2, 2], padding=padding)

    def config(self) -> dict[str, Any]:
        """The model's configuration."""
        ends = {"input_layers": ["images", 0, 0], "output_layers": [self.at, 0, 0]}
        config = {"name": "densenet", "trainable": True, "layers": self.layers, **ends}
        return {
            "module": "keras.src.models.functional",
            "class_name": "Functional",
            "config": config,
            "registered_name": "Functional",
        }
