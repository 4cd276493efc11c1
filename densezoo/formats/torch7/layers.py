"""The layers that Torch7's modules become: what they compute in evaluation, and which tensors they take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from densezoo.formats.torch7.objects import Tensor


@dataclass(frozen=True)
class Conv:
    """A convolution.

    Args:
        label: the module's number, class and offset, for messages, as in the classes below.
        weight: (outputs, inputs, kernel, kernel), or (outputs, inputs * kernel * kernel).
        bias: (outputs,), or None.
        inputs, outputs: channels.
        kernel, stride, padding: pixels, the same for both sides.
    """

    label: str
    weight: Tensor
    bias: Tensor | None
    inputs: int
    outputs: int
    kernel: int
    stride: int
    padding: int


@dataclass(frozen=True)
class Norm:
    """A batch norm.

    Args:
        weight, bias: (channels,); None: the norm has neither.
        mean: the running mean, (channels,).
        spread: the running variance, (channels,), or 1 / sqrt(variance + eps) where ``inverse``.
    """

    label: str
    weight: Tensor | None
    bias: Tensor | None
    mean: Tensor
    spread: Tensor
    inverse: bool
    eps: float


@dataclass(frozen=True)
class Relu:
    """max(x, 0)."""

    label: str


@dataclass(frozen=True)
class Dropout:
    """Dropout in evaluation: multiplication by ``factor``, which is 1 unless the module is of the first version."""

    label: str
    factor: float


@dataclass(frozen=True)
class Pool:
    """Pooling.

    Args:
        kernel, stride, padding: pixels, the same for both sides.
        ceil_mode: whether a window may reach beyond the edge.
    """

    label: str
    kind: Literal["avg", "max"]
    kernel: int
    stride: int
    padding: int
    ceil_mode: bool


@dataclass(frozen=True)
class Flatten:
    """(N, C, 1, 1) -> (N, C); ``channels`` is C, or None: any."""

    label: str
    channels: int | None


@dataclass(frozen=True)
class Linear:
    """A classifier: ``weight`` (classes, features), ``bias`` (classes,) or None."""

    label: str
    weight: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class Join:
    """The end of a block of layers that pass their features on as a list."""

    label: str


@dataclass(frozen=True)
class Other:
    """A module of another class than those above; its contents are not read."""

    label: str
    class_name: str


@dataclass(frozen=True)
class Dense:
    """A dense layer: its input and the output of ``layers`` for it, concatenated.

    Args:
        new_first: whether the new channels stand before the old ones.
        joined: False: its output is a list, which a `Join` concatenates.
    """

    label: str
    layers: tuple[Layer, ...]
    new_first: bool
    joined: bool


Layer: TypeAlias = "Conv | Norm | Relu | Dropout | Pool | Flatten | Linear | Join | Dense | Other"
