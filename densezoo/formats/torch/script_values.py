"""What TorchScript's operators give for what they are given: a step of the computation, or a number, text or list.

What depends on the image's size is unknown.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from densezoo.formats.torch import aten
from densezoo.formats.torch.script_code import NotFollowed
from densezoo.formats.torch.tensors import Deferred
from densezoo.types import Node

UNKNOWN = object()  # a value that only an image would give

_PURE: dict[str, Callable[..., Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "__is__": operator.is_, "__isnot__": operator.is_not, "__not__": operator.not_, "__and__": operator.and_,
    "__or__": operator.or_, "__contains__": operator.contains, "__getitem__": operator.getitem, "len": len,
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "int": int, "float": float, "bool": bool,
}  # fmt: skip
#: Questions about a tensor or a list, whose answer is no step.
_ASKED = ("len", "size", "dim", "requires_grad", "__getitem__", "__is__", "__isnot__")
#: What leaves a list as it is.
_READS = (*_PURE, "size", "slice", "format")


@dataclass
class Activation:
    """A tensor that depends on the image.

    Args:
        step: which one makes it; an operator that works in place makes it another one.
        rank: 4 for a map, 2 for a row an image; UNKNOWN after an operator that `aten` doesn't list.
        shared: whether another tensor may be a view of it, or it of another.
    """

    step: str
    rank: Any = 4
    shared: bool = False


@dataclass(frozen=True)
class Sizes:
    """The sides of a tensor that depends on the image: only how many, and which is the number of images, is known."""

    rank: Any


@dataclass(frozen=True)
class Transposed:
    """A weight with its two sides swapped, as addmm takes it."""

    weight: Deferred


def flat(item: Any) -> Any:
    """A list's item; lists of lists of the same lists would grow without end when they are compared or printed."""
    if isinstance(item, (list, tuple)):
        raise NotFollowed("lists inside lists")
    return item


def flattened(given: list[Any]) -> list[Any]:
    """The arguments of a call, and those in lists."""
    return [part for value in given for part in (value if isinstance(value, list) else [value])]


@dataclass
class Steps:
    """The steps so far.

    Args:
        names: {id of a tensor of the module: its name}.
        steps: {name: step}.

    Raises:
        NotFollowed: an operator that changes what others see. So do all methods.
    """

    names: Mapping[int, str]
    steps: dict[str, Node] = field(default_factory=dict)

    def add(
        self, op: str, word: str, inputs: tuple[str, ...], attributes: dict[str, Any], weights: tuple[str, ...] = ()
    ) -> str:
        name = f"{len(self.steps)} {word}"
        self.steps[name] = Node(op, name, inputs, attributes, weights)
        return name

    def operate(self, word: str, given: list[Any], named: dict[str, Any]) -> Any:
        """An operator's result: a tensor, if it takes one; else a value.

        An operator that `aten` doesn't list is a step of its own name, and refused only if the result depends on it.
        """
        values = aten.arguments(word, given) | aten.renamed(word, named)
        if "out" in named:
            raise NotFollowed(f"{word} changes what it is given")
        if word == "append":
            given[0].append(flat(given[1]))
            return given[0]
        taken = [part for part in flattened(given) if isinstance(part, Activation)]
        if not taken or word in _ASKED:
            return answer(word, given)
        if not values and isinstance(given[0], list):
            raise NotFollowed(f"{word} changes what it is given")
        if word == "addmm":  # the weight has to be a transposed one, and nothing else takes such a one
            values["weight"] = values["weight"].weight if isinstance(values["weight"], Transposed) else UNKNOWN
        op, attributes = aten.describe(word, values)
        if values and not _followed(values):
            op = f"{word} of values that are computed"
        if op == "identity" and word == "contiguous":  # a copy or not, as the numbers lie
            taken[0].shared = True
            return Activation(taken[0].step, taken[0].rank, shared=True)
        if op == "identity" and word != "clone":
            return taken[0]
        weights = (values.get(name) for name in aten.WEIGHTS)
        names = tuple(self.names[id(weight)] for weight in weights if isinstance(weight, Deferred))
        step = self.add(op, word, tuple(part.step for part in taken), attributes, names)
        rank = _rank(word, op, values, taken[0])
        if word.endswith("_"):
            if taken[0] is not given[0] or taken[0].shared:
                raise NotFollowed(f"{word} changes what other tensors see")
            taken[0].step, taken[0].rank = step, rank
            return taken[0]
        taken[0].shared = taken[0].shared or op == "flatten"
        return Activation(step, rank, shared=op == "flatten")


def _rank(word: str, op: str, values: Mapping[str, Any], tensor: Activation) -> Any:
    """Of an operator's result."""
    if not aten.known(word):
        return UNKNOWN
    return 2 if op == "flatten" or (word == "mean" and not values.get("keepdim")) else tensor.rank


def _followed(values: Mapping[str, Any]) -> bool:
    """Whether an operator is given tensors that depend on the image as its input, and the module's as weights."""
    inputs = next((values[name] for name in aten.INPUTS if name in values), None)
    weights = (values.get(name) for name in aten.WEIGHTS)
    return all(isinstance(value, Activation) for value in (inputs if isinstance(inputs, list) else [inputs])) and all(
        weight is None or isinstance(weight, Deferred) for weight in weights
    )


def answer(word: str, given: list[Any]) -> Any:
    """What is no tensor: a calculation with numbers, texts and lists, or a question about a tensor."""
    match word, given:
        case "requires_grad", _:
            return False  # as in evaluation
        case "dim", [Activation(rank=rank)]:
            return rank
        case "size", [Activation(rank=rank)]:
            return Sizes(rank)
        case "size", [Activation(rank=rank), index]:
            return answer("__getitem__", [Sizes(rank), index])
        case "len", [Sizes(rank)]:
            return rank
        case "__getitem__", [Sizes(), index]:
            return aten.BATCH if index == 0 and type(index) is int else UNKNOWN
        case (("NumToTensor" | "Int" | "int"), [aten.BATCH]):
            return aten.BATCH
        case (("__is__" | "__isnot__"), _) if all(value is not UNKNOWN for value in given):
            return _PURE[word](*given)
        case _, [Deferred() as weight, *sides] if word in aten.TRANSPOSITIONS:
            return Transposed(weight) if aten.transposes(word, sides) else UNKNOWN
    if (word.endswith("_") and not word.endswith("__")) or "batch_norm" in word:
        raise NotFollowed(f"{word} changes a weight, as in training mode")
    if word not in _READS and any(isinstance(value, list) for value in given):
        raise NotFollowed(f"{word} may change a list")
    unknown = (Activation, Deferred, Transposed, Sizes)
    if word not in _PURE or any(value in (UNKNOWN, aten.BATCH) or isinstance(value, unknown) for value in given):
        return UNKNOWN
    if word in ("add", "sub", "mul") and not all(isinstance(value, (int, float)) for value in given):
        return UNKNOWN
    value = _PURE[word](*given)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise NotFollowed(f"a number of {value.bit_length()} bits")
    return value


def is_instance(value: Any, kind: str) -> Any:
    """Whether a value is of a type that TorchScript's code names."""
    if value is UNKNOWN or kind not in ("Tensor", "List[Tensor]"):
        return UNKNOWN
    items = value if isinstance(value, list) and kind != "Tensor" else [value]
    return isinstance(value, list) == (kind != "Tensor") and all(
        isinstance(item, (Activation, Deferred)) for item in items
    )
