"""How each source names the tensors of a DenseNet: one table a source.

The roles are those of `densezoo.models.topology.CANONICAL_TEMPLATES`. Adding a source is one `KeyMap` here.
"""

from __future__ import annotations

from densezoo.models.topology import CANONICAL_TEMPLATES
from densezoo.types import KeyMap, ParamKind

_TORCH_PARAMS: dict[ParamKind, dict[str, str]] = {
    "conv": {"weight": "weight"},
    "norm": {
        "weight": "weight",
        "bias": "bias",
        "running_mean": "running_mean",
        "running_var": "running_var",
        "num_batches_tracked": "num_batches_tracked",
    },
    "linear": {"weight": "weight", "bias": "bias"},
}

_TORCHVISION = {role: (name,) for role, name in CANONICAL_TEMPLATES.items()} | {
    "classifier": ("classifier", "classifier.0", "fc")  # the latter two: fine-tuned heads seen in the field
}

KEYMAPS = (
    # torchvision/models/densenet.py and timm/models/densenet.py: the canonical names
    KeyMap("torchvision", _TORCHVISION, _TORCH_PARAMS),
    # the files that torchvision publishes are from 2017: names with a dot, no num_batches_tracked
    KeyMap(
        "torchvision-legacy",
        _TORCHVISION
        | {
            "layer.norm1": ("features.denseblock{block}.denselayer{layer}.norm.1",),
            "layer.conv1": ("features.denseblock{block}.denselayer{layer}.conv.1",),
            "layer.norm2": ("features.denseblock{block}.denselayer{layer}.norm.2",),
            "layer.conv2": ("features.denseblock{block}.denselayer{layer}.conv.2",),
        },
        _TORCH_PARAMS,
    ),
    # https://github.com/andreasveit/densenet-pytorch densenet.py; DICE and other CIFAR work build on it
    KeyMap(
        "andreasveit",
        {
            "stem.conv0": ("conv1",),
            "layer.norm1": ("block{block}.layer.{layer0}.bn1",),
            "layer.conv1": ("block{block}.layer.{layer0}.conv1",),
            "layer.norm2": ("block{block}.layer.{layer0}.bn2",),
            "layer.conv2": ("block{block}.layer.{layer0}.conv2",),
            "transition.norm": ("trans{block}.bn1",),
            "transition.conv": ("trans{block}.conv1",),
            "final.norm": ("bn1",),
            "classifier": ("fc",),
        },
        _TORCH_PARAMS,
    ),
)
