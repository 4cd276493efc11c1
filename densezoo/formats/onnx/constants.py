"""The constants of an ONNX graph: its stored tensors, and what a few operators compute from them.

Operators: https://onnx.ai/onnx/operators/. ConstantOfShape and Expand make large weights of a few bytes. Such a weight
stays one number, repeated, until a network needs it (`densezoo.formats.binary.check_expansion` limits the memory).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, to_tensor
from densezoo.formats.containers.protobuf import Message
from densezoo.formats.limits import MAX_DIMENSIONS, MAX_REPEATED

Stored = Message  # a TensorProto
Attributes = Mapping[str, Message]  # {name: AttributeProto}

DTYPES = {1: "<f4", 2: "u1", 3: "i1", 6: "<i4", 7: "<i8", 9: "?", 10: "<f2", 11: "<f8", 16: BFLOAT16}
MAX_SMALL = 64  # numbers of a constant that is a shape, a list of axes, a side
NUMBER_OF_IMAGES = -1  # in a shape: also what Reshape works out by itself


@dataclass(frozen=True)
class Constant:
    """A tensor that doesn't depend on the image.

    Args:
        shape: its sides.
        stored: the TensorProto with its numbers; None: it is ``value``, repeated, or ``computed``.
        value: the number that fills it.
        computed: its numbers, if it is a short list of computed whole numbers.
    """

    shape: tuple[int, ...]
    stored: Stored | None = None
    value: float = 0.0
    computed: tuple[int, ...] | None = None

    def tensor(self, error_prefix: str) -> Tensor:
        """Its numbers.

        Args:
            error_prefix: file and name of the tensor, for messages.

        Raises:
            FormatError: they are in another file, are no numbers, or don't fit its shape.
        """
        if self.stored is not None:
            return self._stored(self.stored, error_prefix)
        if self.computed is not None:
            return torch.tensor(self.computed).reshape(self.shape)
        if min(self.shape, default=0) < 0 or prod(self.shape) * 4 > MAX_REPEATED:
            raise FormatError(
                f"{error_prefix}: one number, repeated to the shape {self.shape}; expected at most 48 MiB of it"
            )
        return torch.tensor(self.value).expand(self.shape)

    def _stored(self, stored: Stored, error_prefix: str) -> Tensor:
        if stored.get("location", 0) or stored["external_data"]:
            raise FormatError(
                f"{error_prefix}: its numbers are in another file (external data); save the model as one file"
            )
        dtype = DTYPES.get(stored.get("dtype", 0))
        if dtype is None:
            raise FormatError(f"{error_prefix}: is of ONNX's data type {stored.get('dtype', 0)}; expected numbers")
        numbers = stored["raw_data"] if "raw_data" in stored else stored.get("float_data", b"")
        return to_tensor(numbers, dtype, self.shape, error_prefix)

    def numbers(self) -> tuple[int, ...]:
        """The whole numbers of a constant that is a shape or a list of axes.

        Raises:
            ValueError: there are more than MAX_SMALL, or they are not whole.
        """
        if self.computed is not None:
            return self.computed
        if len(self.shape) > 1 or prod(self.shape) > MAX_SMALL:
            raise ValueError("too many numbers for a shape")
        listed = (self.stored or {}).get("int64_data")
        if listed:
            return tuple(listed)
        tensor = self.tensor("a shape")
        if tensor.is_floating_point():
            raise ValueError("a shape of numbers that are not whole")
        return tuple(int(number) for number in tensor.reshape(-1))


def stored_constant(stored: Stored) -> Constant:
    """The constant that an initializer or an attribute holds.

    Args:
        stored: its TensorProto.
    """
    return Constant(tuple(stored["dims"]), stored)


def _constant(attributes: Attributes) -> Constant:
    if "value" in attributes:
        return stored_constant(attributes["value"]["t"])
    if "value_ints" in attributes:
        numbers = tuple(attributes["value_ints"]["ints"])
        return Constant((len(numbers),), computed=numbers)
    if "value_int" in attributes:
        return Constant((), computed=(attributes["value_int"].get("i", 0),))
    return Constant((), value=attributes["value_float"].get("f", 0.0))


def _filled(shape: Constant, attributes: Attributes) -> Constant:
    """ConstantOfShape: its attribute ``value`` is one number, or it is 0."""
    filler = attributes.get("value")
    value = stored_constant(filler["t"]).tensor("ConstantOfShape's value").reshape(()).item() if filler else 0.0
    return Constant(shape.numbers(), value=float(value))


def _expanded(constant: Constant, shape: Constant, attributes: Attributes) -> Constant:
    """Expand: the constant itself if the shape adds nothing; else one number, repeated."""
    sides = shape.numbers()
    if len(sides) <= len(constant.shape) and all(a in (1, b) for a, b in zip(sides[::-1], constant.shape[::-1])):
        return constant
    return Constant(sides, value=float(constant.tensor("what is expanded").reshape(()).item()))


def _shape(constant: Constant, attributes: Attributes) -> Constant:
    ends = attributes.get("end")
    sides = constant.shape[attributes.get("start", {}).get("i", 0) : ends.get("i", 0) if ends else None]
    return Constant((len(sides),), computed=sides)


def _unsqueezed(constant: Constant, *axes: Constant, attributes: Attributes) -> Constant:
    """Unsqueeze: one more side of 1 for each of the axes, which are an attribute before version 13 of the operators."""
    new_axes = axes[0].numbers() if axes else tuple(attributes["axes"]["ints"])
    rank = len(constant.shape) + len(new_axes)
    added, sides = {axis % rank for axis in new_axes}, list(constant.shape)
    return dataclasses.replace(constant, shape=tuple(1 if axis in added else sides.pop(0) for axis in range(rank)))


def _squeezed(constant: Constant, *axes: Constant, attributes: Attributes) -> Constant:
    return dataclasses.replace(constant, shape=tuple(side for side in constant.shape if side != 1))


def _reshaped(constant: Constant, shape: Constant, attributes: Attributes) -> Constant:
    sides = list(shape.numbers())
    if -1 in sides:
        sides[sides.index(-1)] = prod(constant.shape) // max(1, prod(side for side in sides if side != -1))
    if prod(sides) != prod(constant.shape):
        raise ValueError("a reshaping to another number of numbers")
    return dataclasses.replace(constant, shape=tuple(sides))


def _joined(*constants: Constant, attributes: Attributes) -> Constant:
    numbers = tuple(number for constant in constants for number in constant.numbers())
    if len(numbers) > MAX_SMALL:
        raise ValueError("too many numbers for a shape")
    return Constant((len(numbers),), computed=numbers)


#: {operator: computes its result from constants}.
_FOLDED: dict[str, Callable[..., Constant]] = {
    "Constant": lambda attributes: _constant(attributes),
    "ConstantOfShape": lambda shape, attributes: _filled(shape, attributes),
    "Expand": lambda constant, shape, attributes: _expanded(constant, shape, attributes),
    "Shape": lambda constant, attributes: _shape(constant, attributes),
    "Identity": lambda constant, attributes: constant,
    "CastLike": lambda constant, like, attributes: constant,
    "Unsqueeze": _unsqueezed,
    "Squeeze": _squeezed,
    "Reshape": lambda constant, shape, attributes: _reshaped(constant, shape, attributes),
    "Concat": _joined,
}


def folded(node: Message, constants: Mapping[str, Constant]) -> Constant | None:
    """The constant that a step computes; None if the step depends on the image or its operator isn't in _FOLDED.

    Args:
        node: a NodeProto.
        constants: {name of a tensor of the graph: the constant}.
    """
    kind, names = node.get("op", ""), [name for name in node["input"] if name]
    attributes = {attribute.get("name", ""): attribute for attribute in node["attribute"]}
    operands = [constants.get(name) for name in names]
    if kind == "Shape" and operands == [None] and attributes.get("end", {}).get("i") == 1:  # of the first side alone
        return Constant((1,), computed=(NUMBER_OF_IMAGES,))
    operands = operands[:1] if kind == "CastLike" else operands  # like an image's numbers: floating point
    if kind not in _FOLDED or None in operands:
        return None
    try:
        constant = _FOLDED[kind](*operands, *([None] if kind == "CastLike" else []), attributes=attributes)
    except (TypeError, ValueError, LookupError, RuntimeError, OverflowError):
        return None
    return constant if len(constant.shape) <= MAX_DIMENSIONS else None
