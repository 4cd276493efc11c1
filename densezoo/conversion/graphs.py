"""The computation that a file describes, compared with a family's step by step, from the output to the input.

What may differ between networks of the same tensors (the family's `Freedom`) is returned, together with the weights of
every layer. Every other difference is refused: another activation or none, features joined in another order, a pool of
another size, a branch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from densezoo.errors import CheckpointError
from densezoo.types.computation import Attributes, Computation, Freedom, Node, Pads, PoolFreedom, Side

MAX_JOINED = 2000  # features that one concatenation joins; the largest published block has 64 layers
MAX_LOOKED_AT = 250_000  # features of all of them; a network of 1001 layers has 170,000
ZERO = (0, 0, 0, 0)
_WINDOW: tuple[Side, ...] = ("kernel", "stride", "dilation")


@dataclass(frozen=True)
class Reading:
    """What a file's computation says of its network.

    Args:
        semantics: {field of the architecture that no tensor shows: value}.
        weights: `Node.weights` of the file's steps with weights, in the order of the family's computation.
    """

    semantics: dict[str, object]
    weights: list[tuple[str, ...]]


def match_graph(graph: Sequence[Node], expected: Computation, freedom: Freedom, path: str) -> Reading:
    """Compare a file's steps with a family's.

    Args:
        graph: the file's steps.
        expected: the family's computation.
        freedom: what may differ from it.
        path: the file, for messages.

    Raises:
        CheckpointError: the computation is another one; says at which step.
    """
    try:
        walk = _Walk(graph, freedom, path)
        walk.follow(expected)
        return Reading(freedom.settle(walk.semantics), walk.weights[::-1])
    except (TypeError, ValueError, LookupError, AttributeError) as error:  # attributes of other types than usual
        raise CheckpointError(
            f"{path}: its computation has an attribute of an unexpected type or value ({error!r:.100})"
        ) from None


class _Walk:
    """A position in the file's graph, moving against the flow of data.

    Args:
        graph: the file's steps.
        freedom: what may differ.
        path: the file, for messages.
    """

    def __init__(self, graph: Sequence[Node], freedom: Freedom, path: str) -> None:
        self.nodes = {node.name: node for node in graph}
        self.freedom, self.path = freedom, path
        self.semantics: dict[str, object] = {}  # {field of the architecture: its value in the file}
        self.weights: list[tuple[str, ...]] = []  # of every layer, last to first
        self.positions: dict[str, str] = {}  # {expected step: the file's step whose output is its}
        self.looked_at = 0
        used = {name for node in graph for name in node.inputs}
        ends = [node.name for node in graph if node.name not in used and node.op != "input"]
        if len(ends) != 1 or len(self.nodes) != len(graph):
            raise CheckpointError(f"{path}: expected a network with one output; found {len(ends)}: {ends[:3]}")
        self.at = ends[0]

    def follow(self, expected: Computation) -> None:
        """Compare every expected step with the file's, last to first."""
        self._end(expected.output)
        self.positions[expected.output.name] = self.at
        for node in reversed(expected.nodes[1:]):
            self.at = self.positions[node.name]
            _STEPS.get(node.op, _Walk.same)(self, node)
            self._enter(node)
        self.at = self.positions[expected.input.name]
        if self._node().op != "input":
            raise self._refuse("the image", f"{self._node().op} ({self._node().name})")

    def _refuse(self, expected: str, found: str) -> CheckpointError:
        return CheckpointError(
            f"{self.path}: the computation is not {self.freedom.title} that densezoo can express: expected "
            f"{expected}, found {found}; nothing was loaded"
        )

    def _node(self) -> Node:
        """The step at this position; steps that change nothing are skipped."""
        for _ in range(len(self.nodes)):
            node = self.nodes.get(self.at)
            if node is None:
                break
            if node.op != "identity" or len(node.inputs) != 1:
                return node
            self.at = node.inputs[0]
        raise self._refuse("a step", f"no step {self.at!r}")

    def _step(self, *ops: str) -> Node:
        """The step at this position, which must be one of these operations; the position moves on to its input."""
        node = self._node()
        if node.op not in ops or len(node.inputs) != 1:
            raise self._refuse(" or ".join(ops), f"{node.op} with {len(node.inputs)} inputs ({node.name})")
        self.at = node.inputs[0]
        return node

    def _agree(self, fields: Mapping[str, object]) -> None:
        """Refuse a step that fixes a field of the architecture to another value than the steps before."""
        for field, value in fields.items():
            former = self.semantics.setdefault(field, value)
            if former != value and not _close(former, value):
                raise self._refuse(f"one {field} for all", f"{former} and {value}")

    def _enter(self, node: Node) -> None:
        """Note which of the file's steps are an expected step's inputs; refuse others than were noted before."""
        if node.op != "concat" and node.inputs[0] not in self.positions:
            self.positions[node.inputs[0]] = self._node().name
            return
        features, title = self._joined(), self.freedom.title_of(node)
        if not all(name in self.positions for name in node.inputs):
            if len(features) != len(node.inputs):
                raise self._refuse(f"{len(node.inputs)} features joined after {title}", f"{len(features)}")
            self.positions.update(zip(node.inputs, features))
        elif features != [self.positions[name] for name in node.inputs]:
            raise self._refuse(f"{title} to join all before it in order", "another order")

    def _joined(self) -> list[str]:
        """The features that are joined at this position, in their order."""
        out: list[str] = []
        todo = [self.at]
        while todo:
            self.at = todo.pop()
            node = self._node()
            if node.op != "concat":
                out.append(node.name)
            elif node.attributes.get("axis", 1) not in (1, 3, -1, -3):
                raise self._refuse("features joined as channels", f"axis {node.attributes['axis']} ({node.name})")
            else:
                todo.extend(reversed(node.inputs))
            self.looked_at += 1
            if len(out) + len(todo) > MAX_JOINED or self.looked_at > MAX_LOOKED_AT:
                raise self._refuse("a dense block", f"more than {MAX_JOINED:,} features joined")
        return out

    def _end(self, output: Node) -> None:
        """Skip the steps that may follow the logits."""
        classes = output.attributes["channels"]
        while self._node().op in ("softmax", "flatten") and len(self._node().inputs) == 1:
            columns = self._step("softmax", "flatten").attributes.get("columns", classes)
            if columns != classes:
                raise self._refuse("a row of logits for each image", f"rows of {columns}")

    def _window(self, node: Node, expected: Node) -> Pads:
        """The padding of a convolution or pool of the expected size."""
        sides: Attributes = {"dilation": (1, 1), **expected.attributes}
        for name in _WINDOW:
            lengths = node.attributes.get(name) or (sides[name] if name == "kernel" else (1, 1))
            if tuple(lengths) != sides[name]:
                raise self._refuse(f"{name} {sides[name][0]}", f"{tuple(lengths)} ({node.name})")
        groups = expected.attributes.get("groups", 1)
        if node.attributes.get("groups", 1) != groups:
            words = "one group" if groups == 1 else f"{groups} groups"
            raise self._refuse(words, f"{node.attributes['groups']} ({node.name})")
        pads = node.attributes.get("pads") or ZERO
        if pads == "same":
            return pads
        if self._node().op == "pad":
            pad = self._step("pad")
            added = [side for side in pad.attributes["pads"] if type(side) is int]
            if len(added) != len(pads):
                raise self._refuse("a padding of four whole numbers", f"{pad.attributes['pads']} ({pad.name})")
            pads = tuple(side + more for side, more in zip(pads, added))
        return tuple(pads)

    def same(self, expected: Node) -> None:
        """Compare a step that must have the expected operation and epsilon."""
        node = self._step(expected.op)
        eps = expected.attributes.get("eps")
        if eps is not None and not math.isclose(node.attributes.get("eps", eps), eps, rel_tol=1e-6):
            raise self._refuse(f"an epsilon of {eps} ({expected.name})", f"{node.attributes['eps']} ({node.name})")
        if expected.weights:
            self.weights.append(node.weights)

    def conv(self, expected: Node) -> None:
        """Compare a convolution."""
        node = self._step("conv")
        self.weights.append(node.weights)
        pads, free = self._window(node, expected), self.freedom.conv_pads(expected)
        if pads not in free:
            raise self._refuse(f"a padding of {expected.attributes['pads'][0]}", f"{pads} ({node.name})")
        self._agree(free[pads])

    def norm(self, expected: Node) -> None:
        """Compare a batch norm; its weight and bias may be a second step."""
        weights = self._step("scale").weights if self._node().op == "scale" else ()
        if self._node().op == "conv":
            raise self._refuse(
                "norm (folded into the convolution before it, as torch.onnx.export does? export with dynamo=True, "
                "optimize=False, or with dynamo=False, training=torch.onnx.TrainingMode.PRESERVE)",
                f"conv ({self._node().name})",
            )
        node = self._step("norm")
        self.weights.append(node.weights + weights)
        if node.attributes.get("fixed_scale"):
            raise self._refuse("a norm with a weight", f"one whose weight is fixed to 1 (fix_gamma, {node.name})")
        self._agree({self.freedom.norm_eps: node.attributes["eps"]})

    def concat(self, expected: Node) -> None:
        """Nothing to compare: `_enter` follows the file's concatenations, which may be nested."""

    def flatten(self, expected: Node) -> None:
        """Skip the file's flatten steps, of which there may be none or several."""
        while self._node().op == "flatten" and len(self._node().inputs) == 1:
            self.at = self._node().inputs[0]

    def linear(self, expected: Node) -> None:
        """Compare a classifier, which may be a convolution, or have its bias in a second step."""
        bias = self._step("bias").weights if self._node().op == "bias" else ()
        if self._node().op == "conv":
            self.conv(Node("conv", expected.name, (), {"kernel": (1, 1), "stride": (1, 1), "pads": ZERO}))
        else:
            self.weights.append(self._step("linear").weights + bias)

    def pool(self, expected: Node) -> None:
        """Compare a pool, which may differ as the family's `Freedom` says."""
        free = self.freedom.pool(expected)
        node = self._step(*free.ops)
        self._agree(free.ops[node.op])
        if node.op == "global_avg_pool":
            return
        if free.side is not None:
            self._any_side(node, free.side)
        else:
            self._pads(node, expected, free)

    def _any_side(self, node: Node, field: str) -> None:
        height, width = node.attributes["kernel"]
        if height != width or tuple(node.attributes.get("pads") or ZERO) != ZERO:
            raise self._refuse("a square pool without padding", f"{node.name}")
        self._agree({field: height})

    def _pads(self, node: Node, expected: Node, free: PoolFreedom) -> None:
        pads = self._window(node, expected)
        if pads not in free.pads:
            raise self._refuse(free.words, f"{pads} ({node.name})")
        self._agree(free.pads[pads])
        ceil_mode = node.attributes.get("ceil_mode", False)
        if free.rounding is None:
            if ceil_mode not in (None, expected.attributes["ceil_mode"]):
                raise self._refuse(f"ceil_mode {expected.attributes['ceil_mode']}", f"{ceil_mode} ({node.name})")
        elif pads != "same" and ceil_mode is not None:  # None: the file doesn't say
            self._agree({free.rounding: ceil_mode})


def _close(first: object, second: object) -> bool:
    """Whether two values are one number, which some of a file's steps may have with fewer digits."""
    if not (isinstance(first, int | float) and isinstance(second, float)):
        return False
    return math.isclose(first, second, rel_tol=1e-6)


#: {operation of an expected step: compares the file's step with it}; for all others: `_Walk.same`.
_STEPS: Mapping[str, Callable[[_Walk, Node], None]] = {
    "conv": _Walk.conv, "norm": _Walk.norm, "concat": _Walk.concat, "flatten": _Walk.flatten,
    "linear": _Walk.linear, **dict.fromkeys(("max_pool", "avg_pool", "global_avg_pool"), _Walk.pool),
}  # fmt: skip
