"""What a network computes, step by step, as plain data: a family's wiring, or what a file says of its own network."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, TypedDict

Side: TypeAlias = Literal["kernel", "stride", "dilation"]  # the attributes that are sides of a window
Pads: TypeAlias = tuple[int, ...] | Literal["same"]


class Sides(TypedDict, total=False):
    """The window of a convolution or a pool.

    Args:
        kernel, stride, dilation: (height, width), pixels.
        pads: (top, left, bottom, right), pixels, or ``"same"``: as many that ceil(side / stride) pixels come out, the
            odd one last.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    pads: Pads


class Attributes(Sides, total=False):
    """How a step computes, beside its operation; what is absent has the usual value.

    A file's reader gives what the file says, of any type: `densezoo.conversion.graphs.match_graph` holds it against a
    family's.

    Args:
        channels: of the output.
        eps: of a norm.
        groups: of a convolution.
        ceil_mode: whether a pool's window may begin within the map and end behind it; None: the file doesn't say.
        count_include_pad: whether an average counts the zeros around the map.
        fixed_scale: whether a norm's weight counts as 1.
        columns: of a flatten that may make another number of rows than there are images.
        axis: that a concatenation joins.
    """

    channels: int
    eps: float
    groups: int
    ceil_mode: bool | None
    count_include_pad: bool
    fixed_scale: bool
    columns: int
    axis: int


@dataclass(frozen=True)
class Node:
    """One step of a computation.

    A reader gives a step that has no word below under the file's own word for it.

    | op | attributes | weights |
    | --- | --- | --- |
    | ``input`` | channels | |
    | ``conv`` | channels, kernel, stride, pads, dilation, groups | weight, or with bias |
    | ``norm`` (of the batch) | eps, fixed_scale | weight, bias, running_mean, running_var |
    | ``layer_norm`` (over the channels of a pixel) | eps | weight, bias |
    | ``scale``, ``bias`` (of each channel) | | weight, bias |
    | ``relu``, ``gelu``, ``hard_sigmoid``, ``softmax``, ``identity`` | | |
    | ``max_pool``, ``avg_pool`` | kernel, stride, pads, ceil_mode, count_include_pad | |
    | ``blur``: by (1 2 1) x (1 2 1) / 16, edges reflected | kernel, stride, pads | |
    | ``global_avg_pool`` (over the map) | | |
    | ``pad`` (with zeros) | pads | |
    | ``concat`` (of channels) | axis | |
    | ``multiply`` (one input by the other) | | |
    | ``flatten`` | columns | |
    | ``linear`` | channels | weight, bias |

    Args:
        op: the operation.
        name: the step's name; other steps refer to it.
        inputs: names of the steps whose outputs it takes, parameters left out.
        attributes: how the operation computes.
        weights: in a family's computation the canonical names of the tensors that it takes; in a file's the file's
            names of them, or of the layers (before ``.`` or ``/``) they are in.
    """

    op: str
    name: str
    inputs: tuple[str, ...]
    attributes: Attributes = field(default_factory=Attributes)
    weights: tuple[str, ...] = ()


@dataclass(frozen=True)
class Computation:
    """A network: its steps, each after those whose outputs it takes.

    Args:
        name: the network's, for the files that carry one.
        nodes: the first is the input, images (N, channels, height, width); the last is the output, logits (N, classes).
    """

    name: str
    nodes: tuple[Node, ...]

    @property
    def input(self) -> Node:
        """The images."""
        return self.nodes[0]

    @property
    def output(self) -> Node:
        """The logits."""
        return self.nodes[-1]


@dataclass(frozen=True)
class PoolFreedom:
    """How one pool may differ between networks of the same tensors.

    Args:
        ops: {operation that may stand there: {field of the architecture: value} that it fixes}.
        pads: {padding that it may have: {field: value}}.
        rounding: the field that its ceil_mode fixes; None: it has to be the family's.
        side: the field that its kernel's side fixes, pixels; None: the kernel is as the family has it.
        words: the padding in words, for messages.
    """

    ops: Mapping[str, Mapping[str, object]]
    pads: Mapping[object, Mapping[str, object]] = field(default_factory=dict)
    rounding: str | None = None
    side: str | None = None
    words: str = ""


@dataclass(frozen=True)
class Freedom:
    """What may differ between the computations of a family's networks whose tensors are the same.

    Args:
        title: a network of the family, as the owner of something ("a DenseNet's"), for messages.
        norm_eps: the field that the epsilon of every batch norm fixes.
        pools: {regular expression for the names of steps: how such a pool may differ}.
        same_pads: {regular expression for the names of convolutions that may pad as "same" does: the field that says
            whether they do, "torch" or "same"}.
        titles: {regular expression for the names of steps: what a message calls such a step}.
        alternatives: {field: {value: other values of networks with the same tensors, and more or fewer steps}}.
        settle: {field: value} that all steps fix -> the same, where one field follows from others.
    """

    title: str
    norm_eps: str
    pools: Mapping[str, PoolFreedom]
    titles: Mapping[str, str]
    same_pads: Mapping[str, str] = field(default_factory=dict)
    alternatives: Mapping[str, Mapping[object, tuple[object, ...]]] = field(default_factory=dict)
    settle: Callable[[dict[str, object]], dict[str, object]] = dict

    def pool(self, node: Node) -> PoolFreedom:
        """How one of the family's pools may differ; a pool that ``pools`` doesn't name may not differ.

        Args:
            node: the pool, of the family's computation.
        """
        rules = (rule for pattern, rule in self.pools.items() if re.fullmatch(pattern, node.name))
        pads = node.attributes.get("pads")
        return next(rules, PoolFreedom({node.op: {}}, {pads: {}}, words=f"a padding of {pads}"))

    def conv_pads(self, node: Node) -> Mapping[object, Mapping[str, object]]:
        """{padding that one of the family's convolutions may have: {field: value} that it fixes}."""
        fields = [name for pattern, name in self.same_pads.items() if re.fullmatch(pattern, node.name)]
        pads: dict[object, Mapping[str, object]] = {node.attributes["pads"]: dict.fromkeys(fields, "torch")}
        return pads | ({"same": dict.fromkeys(fields, "same")} if fields else {})

    def title_of(self, node: Node) -> str:
        """What a message calls one of the family's steps.

        Args:
            node: the step, of the family's computation.
        """
        names = (re.sub(pattern, words, node.name) for pattern, words in self.titles.items())
        return next((name for name in names if name != node.name), node.name)


def channels(computation: Computation) -> dict[str, int]:
    """{name of a step: channels of its output}.

    Args:
        computation: the network.
    """
    outputs: dict[str, int] = {}
    for node in computation.nodes:
        inputs = [outputs[name] for name in node.inputs]
        outputs[node.name] = node.attributes.get("channels") or (sum(inputs) if node.op == "concat" else inputs[0])
    return outputs


def sides(computation: Computation, height: int, width: int) -> dict[str, tuple[int, int]]:
    """{name of a step: (height, width) of its output's map, pixels}; (1, 1) where there is no map left.

    Args:
        computation: the network.
        height, width: of the image, pixels.
    """
    maps: dict[str, tuple[int, int]] = {}
    for node in computation.nodes:
        if node.op == "input":
            maps[node.name] = (height, width)
        elif node.op in ("global_avg_pool", "flatten", "linear"):
            maps[node.name] = (1, 1)
        else:
            before = maps[node.inputs[0]]
            maps[node.name] = (_side(node, before[0], 0), _side(node, before[1], 1)) if _has_window(node) else before
    return maps


def same_pads(node: Node, side: int, axis: int) -> int:
    """Pixels that ``pads="same"`` adds to a side of the map, before and after it together.

    Args:
        node: a step with ``kernel`` and ``stride``.
        side: of the map, pixels.
        axis: 0: its height; 1: its width.
    """
    kernel, stride = int(node.attributes["kernel"][axis]), int(node.attributes["stride"][axis])
    return max(0, (-(-side // stride) - 1) * stride + kernel - side)


def _has_window(node: Node) -> bool:
    return "kernel" in node.attributes


def _side(node: Node, side: int, axis: int) -> int:
    """The output's side, as torch's convolutions and pools have it."""
    kernel, stride = int(node.attributes["kernel"][axis]), int(node.attributes["stride"][axis])
    if node.attributes["pads"] == "same":
        return -(-side // stride)
    before, after = node.attributes["pads"][axis], node.attributes["pads"][axis + 2]
    room = side + int(before) + int(after) - kernel
    if not node.attributes.get("ceil_mode"):
        return room // stride + 1
    out = -(-room // stride) + 1
    return out - 1 if (out - 1) * stride >= side + before else out  # no window begins behind the map
