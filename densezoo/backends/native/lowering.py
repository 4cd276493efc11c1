"""A computation into the steps of a program, for images of any size: which kernel computes which nodes, and where to.

Norms and ReLUs are no steps of their own: they are folded into the convolution before them, or applied by the step
after them as it reads. What is concatenated is written side by side in the first place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from densezoo.backends.native.library import Kind
from densezoo.errors import BackendError
from densezoo.types.computation import Computation, Node

POOLS = ("max_pool", "avg_pool", "blur", "global_avg_pool")
#: Pools that are sums with weights that add up to 1, so that a 1x1 convolution may as well come after them.
LINEAR_POOLS = ("avg_pool", "blur")


@dataclass(frozen=True)
class Slice:
    """Where the output of a node lies.

    Args:
        buffer: name of the node whose map it is a part of.
        first: its first channel there.
    """

    buffer: str
    first: int = 0


@dataclass(frozen=True)
class LoweredStep:
    """One step of a program.

    Args:
        kind: the kernel.
        node: the convolution, linear layer or pool; the input of a LOAD.
        source: the node whose output it reads; a LOAD's is the input.
        target: the node whose output it writes.
        prologue: the norm that is applied to what it reads, with a ReLU.
        epilogue: the norm that is folded into its weights; a ReLU follows.
        pool: of a POOLED step: the pool, which comes first.
        producer: of a WINOGRAD step: the product that makes what it reads, a strip at a time; ``source`` is the
            product's.
    """

    kind: Kind
    node: Node
    source: str
    target: str
    prologue: Node | None = None
    epilogue: Node | None = None
    pool: Node | None = None
    producer: LoweredStep | None = None


@dataclass(frozen=True)
class Lowered:
    """A program without sizes.

    Args:
        steps: in the order in which they run.
        slices: {name of a node: where its output lies}, of those that a step reads or writes.
    """

    steps: tuple[LoweredStep, ...]
    slices: dict[str, Slice]


def lower(computation: Computation, channels: dict[str, int]) -> Lowered:
    """The steps that compute a network.

    Args:
        computation: its nodes.
        channels: {name of a node: channels of its output}.

    Raises:
        BackendError: names the node that no kernel computes.
    """
    lowering = _Lowering(computation)
    steps = tuple(lowering.joined())
    names = {name for step in steps for name in (step.source, step.target)}
    slices = {name: Slice(name) for name in names} | _place_concatenated(computation, channels)
    return Lowered(steps, slices)


class _Lowering:
    """Walks a computation once; each method handles one node or a few that become one step."""

    def __init__(self, computation: Computation) -> None:
        self.computation = computation
        self.consumers: dict[str, list[Node]] = {node.name: [] for node in computation.nodes}
        for node in computation.nodes:
            for name in node.inputs:
                self.consumers[name].append(node)
        self.stored: dict[str, str] = {}  # {node: the node whose output in memory is what this one is made from}
        self.norms: dict[str, Node] = {}  # {ReLU: the norm before it}, both still to be applied to what is stored
        self.done: set[str] = set()  # computed by the step of an earlier node

    def joined(self) -> Iterator[LoweredStep]:
        """The steps, each 1x1 convolution that only a 3x3 convolution reads a part of that."""
        waiting: LoweredStep | None = None
        for step in self.steps():
            if waiting and self._is_producer(waiting, step):
                step = dataclasses.replace(step, source=waiting.source, producer=waiting)
            elif waiting:
                yield waiting
            waiting = step
        if waiting:
            yield waiting

    def _is_producer(self, product: LoweredStep, step: LoweredStep) -> bool:
        """Whether what a 1x1 convolution writes is read by this 3x3 convolution alone, as it is."""
        return (
            (product.kind, step.kind) == (Kind.PRODUCT, Kind.WINOGRAD)
            and step.source == product.target
            and step.prologue is None
            and len(self.consumers[product.target]) == 1
        )

    def steps(self) -> Iterator[LoweredStep]:
        for node in self.computation.nodes:
            if node.name in self.done:
                continue
            self.stored[node.name] = node.name
            if node.op == "conv":
                yield from self._conv(node)
            elif node.op in POOLS:
                yield LoweredStep(Kind.POOL, node, *self._read(node), node.name, self._prologue(node))
            elif node.op == "linear":
                yield LoweredStep(Kind.PRODUCT, node, *self._read(node), node.name, self._prologue(node))
            elif node.op in ("norm", "relu", "flatten"):
                self._defer(node)
            elif node.op == "concat":
                self._refuse_norms(node)
            elif node.op != "input":
                raise _refused(node)

    def _conv(self, node: Node) -> Iterator[LoweredStep]:
        if node.attributes.get("groups", 1) != 1 or node.attributes.get("dilation", (1, 1)) != (1, 1):
            raise _refused(node)
        (source,), prologue = self._read(node), self._prologue(node)
        target, epilogue, pool = node.name, None, None
        after = self._only_consumer(node)
        relu = self._only_consumer(after) if after and after.op == "norm" else None
        pointwise = _window(node) == ((1, 1), (1, 1), (0, 0, 0, 0))
        if after and relu and relu.op == "relu":
            target, epilogue = relu.name, after
            self._finish(after, relu)
        elif after and pointwise and after.op in LINEAR_POOLS:
            target, pool = after.name, after
            self._finish(after)
        kind = Kind.POOLED if pool else Kind.PRODUCT
        if source == self.computation.input.name:
            kind = Kind.PATCHES
            yield LoweredStep(Kind.LOAD, self.computation.input, source, f"{node.name}.input")
            source = f"{node.name}.input"
        elif _window(node) == ((3, 3), (1, 1), (1, 1, 1, 1)):
            kind = Kind.WINOGRAD
        elif not pointwise:
            raise _refused(node)
        yield LoweredStep(kind, node, source, target, prologue, epilogue, pool)

    def _finish(self, *nodes: Node) -> None:
        for node in nodes:
            self.done.add(node.name)
            self.stored[node.name] = node.name

    def _read(self, node: Node) -> tuple[str]:
        """What lies in memory that the node is computed from."""
        return (self.stored[node.inputs[0]],)

    def _prologue(self, node: Node) -> Node | None:
        return self.norms.get(node.inputs[0])

    def _only_consumer(self, node: Node) -> Node | None:
        consumers = self.consumers[node.name]
        return consumers[0] if len(consumers) == 1 else None

    def _defer(self, node: Node) -> None:
        """Leave a norm with its ReLU to the steps that read them; a flatten of one pixel changes nothing."""
        before = node.inputs[0]
        self.stored[node.name] = self.stored[before]
        if node.op == "norm":
            after = self._only_consumer(node)
            if after is None or after.op != "relu" or before in self.norms:
                raise _refused(node)
            self.norms[after.name] = node
        elif node.op == "relu":
            if node.name not in self.norms:
                raise _refused(node)
        elif before in self.norms:
            raise _refused(node)

    def _refuse_norms(self, node: Node) -> None:
        """A concatenation takes what lies in memory."""
        if any(self.stored[name] != name for name in node.inputs):
            raise _refused(node)


def _window(node: Node) -> tuple[object, object, object]:
    return node.attributes["kernel"], node.attributes["stride"], node.attributes["pads"]


def _refused(node: Node) -> BackendError:
    return BackendError(
        f"backend native: it has no kernel for the step {node.name} ({node.op} with {dict(node.attributes)}); "
        "use --backend eager"
    )


def _place_concatenated(computation: Computation, channels: dict[str, int]) -> dict[str, Slice]:
    """Slices of the outputs that are concatenated: all concatenations of a dense block are prefixes of its last.

    Raises:
        BackendError: two concatenations want one output in different places.
    """
    slices: dict[str, Slice] = {}
    for node in reversed([node for node in computation.nodes if node.op == "concat"]):
        whole = slices.get(node.inputs[0], Slice(node.name))
        first = whole.first
        slices[node.name] = whole
        for name in node.inputs:
            if slices.setdefault(name, Slice(whole.buffer, first)) != Slice(whole.buffer, first):
                raise _refused(node)
            first += channels[name]
    return slices
