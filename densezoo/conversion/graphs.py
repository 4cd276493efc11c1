"""The computation that a file describes, held against a DenseNet's, step by step from the output to the input.

What may differ between DenseNets (epsilon, pools) is returned, and which weights every layer takes; whatever else
differs is refused: another activation or none, features joined in another order, a pool of another size, a branch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.layers import STEMS
from densezoo.types import GraphNode

MAX_JOINED = 2000  # features that one concatenation joins; the largest published block has 64 layers
MAX_LOOKED_AT = 250_000  # features of all of them; a DenseNet-1001's have 170,000
ZERO = (0, 0, 0, 0)


@dataclass(frozen=True)
class Computation:
    """What a file's computation says of a DenseNet.

    Args:
        semantics: {field of `DenseNetArchitecture`: value} that it fixes beyond what tensors show.
        weights: `GraphNode.weights` of every layer, in the order of `densezoo.families.densenet.layers.layers`.
    """

    semantics: dict[str, object]
    weights: list[tuple[str, ...]]


def read_computation(graph: Sequence[GraphNode], arch: DenseNetArchitecture, where: str) -> Computation:
    """The computation of this architecture.

    Args:
        arch: what the tensors say: which blocks and which stem to expect.
        where: the file, for messages.

    Raises:
        CheckpointError: the computation is not this DenseNet's; says at which step.
    """
    try:
        walk = _Walk(graph, where)
        walk.head(arch)
        for block in range(len(arch.block_config), 0, -1):
            walk.block(block, arch)
            if block > 1:
                walk.transition()
        walk.stem(arch)
        return Computation(walk.semantics(), walk.weights[::-1])
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # attributes of other types than usual
        raise CheckpointError(
            f"{where}: its computation has an attribute that makes no sense ({error!r:.100})"
        ) from None


class _Walk:
    """A position in the graph, moving against the flow of data."""

    def __init__(self, graph: Sequence[GraphNode], where: str) -> None:
        self.nodes = {node.name: node for node in graph}
        self.where = where
        self.found: dict[str, Any] = {}
        self.weights: list[tuple[str, ...]] = []  # of every layer, last to first
        self.looked_at = 0
        used = {name for node in graph for name in node.inputs}
        ends = [node.name for node in graph if node.name not in used and node.op != "input"]
        if len(ends) != 1 or len(self.nodes) != len(graph):
            raise CheckpointError(f"{where}: expected a network with one output; found {len(ends)}: {ends[:3]}")
        self.at = ends[0]

    def refuse(self, expected: str, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self.where}: the computation is not a DenseNet's that densezoo can express: expected {expected}, found "
            f"{found}; nothing was loaded"
        )

    def node(self) -> GraphNode:
        """The step at this position; steps that change nothing are passed over."""
        for _ in range(len(self.nodes)):
            node = self.nodes.get(self.at)
            if node is None:
                break
            if node.op != "identity" or len(node.inputs) != 1:
                return node
            self.at = node.inputs[0]
        raise self.refuse("a step", f"no step {self.at!r}")

    def step(self, *ops: str) -> GraphNode:
        """The step here, which has to be one of these; then go to its input."""
        node = self.node()
        if node.op not in ops or len(node.inputs) != 1:
            raise self.refuse(" or ".join(ops), f"{node.op} with {len(node.inputs)} inputs ({node.name})")
        self.at = node.inputs[0]
        return node

    def optional(self, *ops: str) -> None:
        while self.node().op in ops and len(self.node().inputs) == 1:
            self.at = self.node().inputs[0]

    def agree(self, field: str, value: Any) -> None:
        known = self.found.setdefault(field, value)
        if known != value and not (isinstance(value, float) and math.isclose(known, value, rel_tol=1e-6)):
            raise self.refuse(f"one {field} for all", f"{known} and {value}")

    def norm(self) -> None:
        weights = self.step("scale").weights if self.node().op == "scale" else ()
        if self.node().op == "conv":
            raise self.refuse(
                "norm (folded into the convolution before it, as torch.onnx.export does? export with dynamo=True, "
                "optimize=False, or with dynamo=False, training=torch.onnx.TrainingMode.PRESERVE)",
                f"conv ({self.node().name})",
            )
        node = self.step("norm")
        self.weights.append(node.weights + weights)
        if node.attributes.get("fixed_scale"):
            raise self.refuse("a norm with a weight", f"one whose weight is fixed to 1 (fix_gamma, {node.name})")
        self.agree("bn_eps", node.attributes["eps"])

    def window(self, node: GraphNode, kernel: int, stride: int) -> Any:
        """The padding of a convolution or pool of this size."""
        found = node.attributes
        for name, expected in (("kernel", kernel), ("stride", stride), ("dilation", 1)):
            sides = found.get(name) or ((1, 1) if name != "kernel" else (kernel, kernel))
            if tuple(sides) != (expected, expected):
                raise self.refuse(f"{name} {expected}", f"{tuple(sides)} ({node.name})")
        if found.get("groups", 1) != 1:
            raise self.refuse("one group", f"{found['groups']} ({node.name})")
        pads = found.get("pads") or ZERO
        if self.node().op == "pad" and pads != "same":
            pads = tuple(a + b for a, b in zip(pads, self.step("pad").attributes["pads"]))
        return pads

    def conv(self, kernel: int, stride: int = 1) -> None:
        node = self.step("conv")
        self.weights.append(node.weights)
        pads = self.window(node, kernel, stride)
        if tuple(pads) != (kernel // 2,) * 4:
            raise self.refuse(f"a padding of {kernel // 2}", f"{pads} ({node.name})")

    def head(self, arch: DenseNetArchitecture) -> None:
        """[softmax] <- linear <- average over the map."""
        while self.node().op in ("softmax", "flatten") and len(self.node().inputs) == 1:
            columns = self.step("softmax", "flatten").attributes.get("columns", arch.num_classes)
            if columns != arch.num_classes:
                raise self.refuse("a row of logits for each image", f"rows of {columns}")
        bias = self.step("bias").weights if self.node().op == "bias" else ()
        if self.node().op == "conv":
            self.conv(1)
        else:
            self.weights.append(self.step("linear").weights + bias)
        self.optional("flatten")
        pool = self.step("global_avg_pool", "avg_pool")
        if pool.op == "avg_pool":
            height, width = pool.attributes["kernel"]
            if height != width or tuple(pool.attributes.get("pads") or ZERO) != ZERO:
                raise self.refuse("a square pool without padding", f"{pool.name}")
            self.agree("head_pool", height)
        else:
            self.agree("head_pool", None)

    def joined(self) -> list[str]:
        """The features that come in here, in their order."""
        out: list[str] = []
        todo = [self.at]
        while todo:
            self.at = todo.pop()
            node = self.node()
            if node.op != "concat":
                out.append(node.name)
            elif node.attributes.get("axis", 1) not in (1, 3, -1, -3):
                raise self.refuse("features joined as channels", f"axis {node.attributes['axis']} ({node.name})")
            else:
                todo.extend(reversed(node.inputs))
            self.looked_at += 1
            if len(out) + len(todo) > MAX_JOINED or self.looked_at > MAX_LOOKED_AT:
                raise self.refuse("a dense block", f"more than {MAX_JOINED:,} features joined")
        return out

    def block(self, block: int, arch: DenseNetArchitecture) -> None:
        """A dense block and the norm and ReLU after it; ends at the block's input."""
        self.step("relu")
        self.norm()
        features = self.joined()
        depth = arch.block_config[block - 1]
        if len(features) != depth + 1:
            raise self.refuse(f"{depth + 1} features joined after block {block}", f"{len(features)}")
        for layer in range(depth, 0, -1):
            self.at = features[layer]
            self.conv(3)
            self.step("relu")
            self.norm()
            if arch.bn_size is not None:
                self.conv(1)
                self.step("relu")
                self.norm()
            if self.joined() != features[:layer]:
                raise self.refuse(f"layer {layer} of block {block} to join all before it in order", "another order")
        self.at = features[0]

    def transition(self) -> None:
        pool = self.step("avg_pool", "max_pool")
        self.agree("transition_pool", pool.op.removesuffix("_pool"))
        pads = self.window(pool, 2, 2)
        if pads != "same" and tuple(pads) != ZERO:
            raise self.refuse("a transition's pool without padding", f"{pads} ({pool.name})")
        self.rounding("ceil_mode", True if pads == "same" else pool.attributes.get("ceil_mode", False))
        self.conv(1)

    def rounding(self, field: str, ceil_mode: bool | None) -> None:
        if ceil_mode is not None:  # None: the file doesn't say
            self.agree(field, ceil_mode)

    def stem(self, arch: DenseNetArchitecture) -> None:
        stem = STEMS[arch.stem]
        if stem.pool:
            pool = self.step("max_pool")
            pads = self.window(pool, 3, 2)
            if pads == "same":
                self.agree("pool_padding", "same")
            elif tuple(pads) != (1, 1, 1, 1):
                raise self.refuse("a stem's pool with padding 1", f"{pads} ({pool.name})")
            else:
                self.agree("pool_padding", "torch")
                self.rounding("stem_ceil_mode", pool.attributes.get("ceil_mode", False))
        for kernel, stride in reversed(stem.convs):
            if stem.norms:
                self.step("relu")
                self.norm()
            self.conv(kernel, stride)
        if self.node().op != "input":
            raise self.refuse("the image", f"{self.node().op} ({self.node().name})")

    def semantics(self) -> dict[str, object]:
        """The fields; a stem that rounds as the transitions do needs no field of its own."""
        found = dict(self.found)
        if "stem_ceil_mode" in found:
            found.setdefault("ceil_mode", found["stem_ceil_mode"])
            if found["stem_ceil_mode"] == found["ceil_mode"]:
                found["stem_ceil_mode"] = None
        return found
