"""A second family, as small as it can be: what it has that no DenseNet has is what another family may bring.

A 3x3 convolution with bias, a norm of every pixel without statistics, a vector of gains, a norm after pooling, and a
linear classifier; its widths are several. Another source ("foo") names the same tensors otherwise, with kernels in
TensorFlow's layout.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from densezoo.families import FAMILIES
from densezoo.families.base import Family, Part, Parts
from densezoo.families.naming import Naming
from densezoo.families.systems import System, torch_writer, write_densezoo
from densezoo.types import Architecture, Computation, Freedom, KeyMap, Layer, Node, Param
from densezoo.types.computation import Attributes


@dataclass(frozen=True)
class ToyArchitecture(Architecture):
    family: ClassVar[str] = "toy"

    widths: tuple[int, ...] = (4, 6)
    norm_eps: float = 1e-6
    drop_rate: float = 0.0
    in_chans: int = 3
    num_classes: int = 5


class ToyStage(nn.Module):
    def __init__(self, before: int, after: int, eps: float) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, 3, padding=1)
        self.norm = nn.LayerNorm(after, eps=eps)
        self.gamma = nn.Parameter(torch.ones(after))

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.norm(self.conv(x).permute(0, 2, 3, 1)) * self.gamma
        return nn.functional.gelu(pixels.permute(0, 3, 1, 2))


class Toy(nn.Module):
    def __init__(self, arch: ToyArchitecture, *, draw_weights: bool = True) -> None:
        super().__init__()
        sides = zip((arch.in_chans, *arch.widths), arch.widths)
        self.stages = nn.Sequential(*(ToyStage(before, after, arch.norm_eps) for before, after in sides))
        self.head_norm = nn.LayerNorm(arch.widths[-1])
        self.classifier = nn.Linear(arch.widths[-1], arch.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.head_norm(self.stages(x).mean((2, 3))))
        return logits


NETWORK = Toy


class FeatureMaps(nn.Module):
    def __init__(self, network: nn.Module, arch: ToyArchitecture) -> None:
        super().__init__()
        assert isinstance(network, Toy)
        self.stages = network.stages

    def forward(self, x: Tensor) -> list[Tensor]:
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps


FAMILY = Family(
    title="Toy",
    architecture=ToyArchitecture,
    anchor=("stage.conv", 1, 0),
    inferred=("widths", "in_chans", "num_classes"),
    sizes=("widths",),
    head=("head.norm", "classifier"),
)


def kind_of(role: str) -> str:
    return {"stage.conv": "conv", "stage": "gain", "classifier": "linear"}.get(role, "layer_norm")


def smallest_side(arch: ToyArchitecture) -> int:
    return 4


def stages(arch: ToyArchitecture) -> list[tuple[int, int]]:
    return [(width, 1) for width in arch.widths]


def layers(arch: ToyArchitecture) -> Iterator[Layer]:
    for i, (before, after) in enumerate(zip((arch.in_chans, *arch.widths), arch.widths)):
        conv = {"weight": (after, before, 3, 3), "bias": (after,)}
        yield Layer("stage.conv", f"stages.{i}.conv", "conv", conv, i + 1)
        yield Layer("stage.norm", f"stages.{i}.norm", "layer_norm", {"weight": (after,), "bias": (after,)}, i + 1)
        yield Layer("stage", f"stages.{i}", "gain", {"gamma": (after,)}, i + 1)
    width = arch.widths[-1]
    yield Layer("head.norm", "head_norm", "layer_norm", {"weight": (width,), "bias": (width,)})
    head = {"weight": (arch.num_classes, width), "bias": (arch.num_classes,)}
    yield Layer("classifier", "classifier", "linear", head)


def computation(arch: ToyArchitecture) -> Computation:
    nodes = [Node("input", "images", (), {"channels": arch.in_chans})]
    window: Attributes = {"kernel": (3, 3), "stride": (1, 1), "pads": (1, 1, 1, 1)}
    for i, width in enumerate(arch.widths):
        steps: dict[str, tuple[str, Attributes, tuple[str, ...]]] = {
            "conv": (f"{i}.conv", {"channels": width, **window}, ("conv.weight", "conv.bias")),
            "layer_norm": (f"{i}.norm", {"eps": arch.norm_eps}, ("norm.weight", "norm.bias")),
            "scale": (f"{i}.gain", {}, ("gamma",)),
            "gelu": (f"{i}.gelu", {}, ()),
        }
        for op, (name, attributes, weights) in steps.items():
            names = tuple(f"stages.{i}.{weight}" for weight in weights)
            nodes.append(Node(op, name, (nodes[-1].name,), attributes, names))
    nodes.append(Node("global_avg_pool", "pool", (nodes[-1].name,)))
    nodes.append(Node("layer_norm", "head_norm", ("pool",), {"eps": 1e-5}, ("head_norm.weight", "head_norm.bias")))
    nodes.append(Node("flatten", "flatten", ("head_norm",)))
    head = ("classifier.weight", "classifier.bias")
    nodes.append(Node("linear", "classifier", ("flatten",), {"channels": arch.num_classes}, head))
    return Computation("toy", tuple(nodes))


def _keymap(name: str, stage: str, conv: str, norm: str, gain: str, kernel: Param, **semantics: object) -> KeyMap:
    both = {"weight": Param((".weight",)), "bias": Param((".bias",))}
    templates = {"stage.conv": (f"{stage}.{conv}",), "stage.norm": (f"{stage}.{norm}",), "stage": (stage,)}
    params = {"conv": {**both, "weight": kernel}, "layer_norm": both, "gain": {"gamma": Param((gain,))}, "linear": both}
    templates |= {"head.norm": ("head_norm",), "classifier": ("classifier",)}
    return KeyMap(name, templates, params, semantics)


KEYMAPS = (
    _keymap("toy", "stages.{stage0}", "conv", "norm", ".gamma", Param((".weight",))),
    _keymap("foo", "foo{stage}", "c", "n", ".scale", Param((".kernel",), "hwio"), norm_eps=1e-3),
)


def numbers(block: int, layer: int, rank: int) -> dict[str, int]:
    return {"stage": block, "stage0": block - 1}


def infer_architecture(naming: Naming) -> ToyArchitecture:
    widths: list[int] = []
    while shape := naming.shape("stage.conv", len(widths) + 1):
        widths.append(shape[0])
    chans, classes = naming.side("stage.conv", 1, 3, 1), naming.side("classifier", 0, 5)
    return ToyArchitecture(tuple(widths), in_chans=chans, num_classes=classes)


def with_fresh_classifier(network: nn.Module, num_classes: int) -> nn.Module:
    assert isinstance(network, Toy)
    network.classifier = nn.Linear(network.classifier.in_features, num_classes)
    return network


FREEDOM = Freedom("a Toy's", "norm_eps", {}, {})

SYSTEMS = {
    "densezoo": System(build=Toy, write=write_densezoo, extensions=(".safetensors",)),
    "timm": System(
        only={"in_chans": (3,)},
        only_stored={"norm_eps": (1e-6,)},
        write=torch_writer(FAMILY, "toy"),
        build=Toy,
        extensions=(".pth",),
    ),
}

FIELDS = {"stages": ("stages", lambda arch: len(arch.widths))}
CITATION = "@misc{toy,\n  title = {A toy}\n}"


def summary(arch: ToyArchitecture) -> str:
    return f"A toy of {len(arch.widths)} stages."


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Register the toy family, as a folder and one name in FAMILIES would: one file in place of each of its modules."""
    parts = {part.module for part in vars(Parts).values() if isinstance(part, Part)}
    for module in {"", *(f".{name}" for name in parts - {"torch7", "timm"})}:
        monkeypatch.setitem(sys.modules, f"densezoo.families.toy{module}", sys.modules[__name__])
    monkeypatch.setattr("densezoo.families.FAMILIES", [*FAMILIES, "toy"])
