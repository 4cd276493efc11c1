"""The results of TorchScript's operators: steps of the computation, or numbers, texts and lists.

A value that depends on the image's size is UNKNOWN.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from densezoo.formats.torch import aten
from densezoo.formats.torch.script_code import NotFollowed
from densezoo.formats.torch.tensors import Deferred
from densezoo.types import Node
from densezoo.types.computation import Attributes

UNKNOWN = object()  # a value that depends on the image

_PURE: dict[str, Callable[..., object]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "__is__": operator.is_, "__isnot__": operator.is_not, "__not__": operator.not_, "__and__": operator.and_,
    "__or__": operator.or_, "__contains__": operator.contains, "__getitem__": operator.getitem, "len": len,
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "int": int, "float": float, "bool": bool,
}  # fmt: skip
#: Operators that ask something of a tensor or a list; their result is no step.
_ASKED = ("len", "size", "dim", "requires_grad", "__getitem__", "__is__", "__isnot__")
#: Operators that don't change a list.
_READS = (*_PURE, "size", "slice", "format")


@dataclass
class Activation:
    """A tensor that depends on the image.

    Args:
        step: name of the step that computes it; an operator that works in place replaces it.
        rank: 4: a map for each image; 2: a row for each image; UNKNOWN after an operator that `aten` doesn't list.
        shared: whether it and another tensor may be views of the same numbers.
    """

    step: str
    rank: object = 4
    shared: bool = False


@dataclass(frozen=True)
class Sizes:
    """The sides of a tensor that depends on the image; only their number is known, and that the first counts images."""

    rank: object


@dataclass(frozen=True)
class Transposed:
    """A weight with its two sides swapped, as addmm takes it."""

    weight: Deferred


def flat(item: object) -> object:
    """An item of a list, which must not be a list: nested lists would grow without end when compared or printed.

    Args:
        item: the item.

    Raises:
        NotFollowed: it is a list.
    """
    if isinstance(item, (list, tuple)):
        raise NotFollowed("lists inside lists")
    return item


def flattened(operands: list[object]) -> list[object]:
    """The arguments of a call, the items of a list in place of the list.

    Args:
        operands: the arguments.
    """
    return [part for value in operands for part in (value if isinstance(value, list) else [value])]


@dataclass
class ScriptSteps:
    """Collects the steps of a scripted or traced network.

    Args:
        names: {id of a tensor of the module: its name}.
        steps: {name: step}, of the steps so far.

    Raises:
        NotFollowed: an operator that changes a tensor or a list that others use. All methods raise it.
    """

    names: Mapping[int, str]
    steps: dict[str, Node] = field(default_factory=dict)

    def add(
        self, op: str, word: str, inputs: tuple[str, ...], attributes: Attributes, weights: tuple[str, ...] = ()
    ) -> str:
        """Add a step and return its name.

        Args:
            op: the operation, by densezoo's word (`densezoo.types.Node`).
            word: TorchScript's name of the operator.
            inputs: names of the steps whose outputs it takes.
            attributes: of the operation, such as ``kernel`` or ``eps``.
            weights: the file's names of the tensors that it takes.
        """
        name = f"{len(self.steps)} {word}"
        self.steps[name] = Node(op, name, inputs, attributes, weights)
        return name

    def operate(self, word: str, operands: list[object], named: dict[str, object]) -> object:
        """The result of an operator: a tensor if it takes one, else a value.

        An operator that `aten` doesn't list becomes a step of its name, which is refused only if the result depends
        on it.

        Args:
            word: TorchScript's name of the operator.
            operands: arguments by position.
            named: arguments by name.
        """
        values = aten.arguments(word, operands) | aten.renamed(word, named)
        if "out" in named:
            raise NotFollowed(f"{word} changes its arguments")
        if word == "append":
            features = operands[0]
            if not isinstance(features, list):
                raise NotFollowed("append to what is no list")
            features.append(flat(operands[1]))
            return features
        tensors = [part for part in flattened(operands) if isinstance(part, Activation)]
        if not tensors or word in _ASKED:
            return answer(word, operands)
        if not values and isinstance(operands[0], list):
            raise NotFollowed(f"{word} changes its arguments")
        if word == "addmm":  # its weight must be transposed, and no other operator takes a transposed one
            values["weight"] = values["weight"].weight if isinstance(values["weight"], Transposed) else UNKNOWN
        op, attributes = aten.node_terms(word, values)
        if values and not _followed(values):
            op = f"{word} of values that are computed"
        if op == "identity" and word == "contiguous":  # a copy or not, as the numbers lie
            tensors[0].shared = True
            return Activation(tensors[0].step, tensors[0].rank, shared=True)
        if op == "identity" and word != "clone":
            return tensors[0]
        weights = (values.get(name) for name in aten.WEIGHTS)
        names = tuple(self.names[id(weight)] for weight in weights if isinstance(weight, Deferred))
        step = self.add(op, word, tuple(part.step for part in tensors), attributes, names)
        rank = _rank(word, op, values, tensors[0])
        if word.endswith("_"):
            if tensors[0] is not operands[0] or tensors[0].shared:
                raise NotFollowed(f"{word} changes what other tensors see")
            tensors[0].step, tensors[0].rank = step, rank
            return tensors[0]
        tensors[0].shared = tensors[0].shared or op == "flatten"
        return Activation(step, rank, shared=op == "flatten")


def _rank(word: str, op: str, values: Mapping[str, object], tensor: Activation) -> object:
    """The rank of an operator's result."""
    if not aten.known(word):
        return UNKNOWN
    return 2 if op == "flatten" or (word == "mean" and not values.get("keepdim")) else tensor.rank


def _followed(values: Mapping[str, object]) -> bool:
    """Whether an operator's inputs are tensors that depend on the image, and its weights are the module's."""
    inputs = next((values[name] for name in aten.INPUTS if name in values), None)
    weights = (values.get(name) for name in aten.WEIGHTS)
    return all(isinstance(value, Activation) for value in (inputs if isinstance(inputs, list) else [inputs])) and all(
        weight is None or isinstance(weight, Deferred) for weight in weights
    )


def answer(word: str, operands: list[object]) -> object:
    """The result of an operator that computes no tensor: of numbers, texts and lists, or a fact about a tensor.

    Args:
        word: TorchScript's name of the operator.
        operands: arguments by position.

    Raises:
        NotFollowed: an operator that changes a weight or may change a list; a number of more than 63 bits.
    """
    match word, operands:
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
        case (("__is__" | "__isnot__"), _) if all(value is not UNKNOWN for value in operands):
            return _PURE[word](*operands)
        case _, [Deferred() as weight, *sides] if word in aten.TRANSPOSITIONS:
            return Transposed(weight) if aten.transposes(word, sides) else UNKNOWN
    if (word.endswith("_") and not word.endswith("__")) or "batch_norm" in word:
        raise NotFollowed(f"{word} changes a weight, as in training mode")
    if word not in _READS and any(isinstance(value, list) for value in operands):
        raise NotFollowed(f"{word} may change a list")
    unknown = (Activation, Deferred, Transposed, Sizes)
    if word not in _PURE or any(value in (UNKNOWN, aten.BATCH) or isinstance(value, unknown) for value in operands):
        return UNKNOWN
    if word in ("add", "sub", "mul") and not all(isinstance(value, (int, float)) for value in operands):
        return UNKNOWN
    value = _PURE[word](*operands)
    if isinstance(value, int) and abs(value) >= 1 << 63:
        raise NotFollowed(f"a number of {value.bit_length()} bits")
    return value


def is_instance(value: object, kind: str) -> object:
    """Whether a value is of a type; UNKNOWN for an unknown value or another type than tensors and lists of tensors.

    Args:
        value: the value.
        kind: the type, as TorchScript's code names it.
    """
    if value is UNKNOWN or kind not in ("Tensor", "List[Tensor]"):
        return UNKNOWN
    items = value if isinstance(value, list) and kind != "Tensor" else [value]
    return isinstance(value, list) == (kind != "Tensor") and all(
        isinstance(item, (Activation, Deferred)) for item in items
    )
