"""A DenseNet's wiring as data: every step from the image to the logits, with its attributes and weights.

`densezoo.families.densenet.network` is the same network as a module; a test holds each to the other.
"""

from __future__ import annotations

from typing import Literal

from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import layers
from densezoo.families.steps import ComputationBuilder
from densezoo.types import Layer
from densezoo.types.computation import Computation, Freedom, PoolFreedom, Sides


def computation(arch: DenseNetArchitecture) -> Computation:
    """The steps of a DenseNet in evaluation, where dropout does nothing, named after torchvision's modules.

    Args:
        arch: the network.
    """
    steps, todo = _Builder(), layers(arch)
    steps.add("input", "images", channels=arch.in_chans)
    for i in range(len(arch.stem_layout.convs)):
        steps.conv(next(todo), same=i == 0 and arch.same_function().stem_padding == "same")
        if arch.stem_layout.norms:
            steps.norm_relu(next(todo), arch)
    if arch.stem_layout.pool:
        _stem_pool(steps, arch)
    for block, depth in enumerate(arch.block_config, start=1):
        features = [steps.at]
        for index in range(1, depth + 1):
            steps.join(f"features.denseblock{block}.denselayer{index}.concat", features)
            for _ in range(1 if arch.bn_size is None else 2):
                steps.norm_relu(next(todo), arch)
                steps.conv(next(todo))
            features.append(steps.at)
        steps.join(f"features.denseblock{block}.concat", features)
        steps.norm_relu(next(todo), arch)  # the transition's, or the last
        if block < len(arch.block_config):
            steps.conv(next(todo))
            _transition_pool(steps, arch, f"features.transition{block}.pool")
    _head(steps, arch, next(todo))
    return Computation("densenet", tuple(steps.nodes))


class _Builder(ComputationBuilder):
    """Collects the steps of a DenseNet."""

    def norm_relu(self, layer: Layer, arch: DenseNetArchitecture) -> None:
        self.add("norm", layer.name, layer, eps=arch.bn_eps)
        self.add("relu", layer.name.replace("norm", "relu"))

    def conv(self, layer: Layer, same: bool = False) -> None:
        window = _window(layer.kernel_size, layer.stride, "same" if same else layer.kernel_size // 2)
        self.add("conv", layer.name, layer, channels=layer.out_channels, **window)


def _window(kernel: int, stride: int, pad: int | Literal["same"] = 0) -> Sides:
    return {"kernel": (kernel, kernel), "stride": (stride, stride), "pads": pad if pad == "same" else (pad,) * 4}


def _stem_pool(steps: _Builder, arch: DenseNetArchitecture) -> None:
    if arch.aa_layer:
        steps.add("max_pool", "features.pool0.0", **_window(3, 1, 1), ceil_mode=False)
        steps.add("blur", "features.pool0.1", **_window(3, 2, 1))
    elif arch.pool_padding == "same":
        steps.add("max_pool", "features.pool0", **_window(3, 2, "same"), ceil_mode=False)
    else:
        ceil_mode = arch.ceil_mode if arch.stem_ceil_mode is None else arch.stem_ceil_mode
        steps.add("max_pool", "features.pool0", **_window(3, 2, 1), ceil_mode=ceil_mode)


def _transition_pool(steps: _Builder, arch: DenseNetArchitecture, name: str) -> None:
    if arch.aa_layer and not arch.aa_stem_only:
        steps.add("blur", name, **_window(3, 2, 1))
    else:
        steps.add(f"{arch.transition_pool}_pool", name, **_window(2, 2), ceil_mode=arch.ceil_mode)


def _head(steps: _Builder, arch: DenseNetArchitecture, classifier: Layer) -> None:
    if arch.head_pool:
        steps.add("avg_pool", "pool", **_window(arch.head_pool, arch.head_pool), ceil_mode=False)
    else:
        steps.add("global_avg_pool", "pool")
    steps.add("flatten", "flatten")
    steps.add("linear", classifier.name, classifier, channels=arch.num_classes)


def _settle(fields: dict[str, object]) -> dict[str, object]:
    """Set ``stem_ceil_mode`` to None if the stem rounds as the transitions do."""
    if "stem_ceil_mode" in fields:
        fields.setdefault("ceil_mode", fields["stem_ceil_mode"])
        if fields["stem_ceil_mode"] == fields["ceil_mode"]:
            fields["stem_ceil_mode"] = None
    return fields


#: What may differ between DenseNets of the same tensors; the names are those of `computation`.
FREEDOM = Freedom(
    title="a DenseNet's",
    norm_eps="bn_eps",
    alternatives={"stem": {"cifar_norm": ("cifar_pool",)}},
    pools={
        r"features\.pool0": PoolFreedom(
            ops={"max_pool": {}},
            pads={(1, 1, 1, 1): {"pool_padding": "torch"}, "same": {"pool_padding": "same"}},
            rounding="stem_ceil_mode",
            words="a stem's pool with padding 1",
        ),
        r"features\.transition\d+\.pool": PoolFreedom(
            ops={"avg_pool": {"transition_pool": "avg"}, "max_pool": {"transition_pool": "max"}},
            pads={(0, 0, 0, 0): {}, "same": {"ceil_mode": True}},  # the same for a kernel as wide as its stride
            rounding="ceil_mode",
            words="a transition's pool without padding",
        ),
        "pool": PoolFreedom(ops={"global_avg_pool": {"head_pool": None}, "avg_pool": {}}, side="head_pool"),
    },
    same_pads={r"features\.conv0": "stem_padding"},
    titles={
        r"features\.denseblock(\d+)\.denselayer(\d+)\..*": r"layer \2 of block \1",
        r"features\.denseblock(\d+)\.concat": r"block \1",
    },
    settle=_settle,
)
