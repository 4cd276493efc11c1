"""Torch7's modules (``nn``, ``cudnn``) -> the layers that they compute in evaluation, or a refusal.

A module is read only if a layer here can express all its fields. The sources are
https://github.com/torch/nn, https://github.com/soumith/cudnn.torch and the authors' own
``models/DenseConnectLayer.lua`` in https://github.com/liuzhuang13/DenseNet.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.torch7.layers import Conv, Dense, Dropout, Flatten, Join, Layer, Linear, Norm, Other, Pool, Relu
from densezoo.formats.torch7.objects import Module, Storage, Table, Tensor, Torch7File, Value, describe

MAX_NESTING = 64  # modules within modules; back references can nest them deeper than the file does


@dataclass(frozen=True)
class Fields:
    """The fields of a module; every method checks the field's type and raises FormatError.

    Args:
        file: the file.
        module: the module.
        label: its number, class and offset, for messages.
    """

    file: Torch7File
    module: Module
    label: str

    def error(self, name: str, expected: str) -> FormatError:
        """The error for a field that isn't as expected."""
        value = describe(self.module.fields.items.get(name))
        return FormatError(f"{self.file.path}: {self.label}: its {name} is {value}; expected {expected}")

    def get(self, name: str) -> Value:
        return self.module.fields.items.get(name)

    def whole(self, name: str, default: int | None = None) -> int:
        """A whole number; the default if there is no such field."""
        value = self.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, float) or not value.is_integer():  # NaN and infinity aren't
            raise self.error(name, "a whole number")
        return int(value)

    def side(self, letter: str, default: int | None = None) -> int:
        """``<letter>W`` and ``<letter>H``, which have to be equal."""
        width, height = self.whole(f"{letter}W", default), self.whole(f"{letter}H", default)
        if width != height:
            raise self.error(f"{letter}H", f"its {letter}W, {width}: a square window")
        return width

    def real(self, name: str, default: float | None = None) -> float:
        value = self.get(name)
        if value is None and default is not None:
            return default
        if not isinstance(value, float) or not np.isfinite(value):
            raise self.error(name, "a finite number")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; an absent field is false, as in Lua."""
        value = self.get(name)
        if value is not None and not isinstance(value, bool):
            raise self.error(name, "true or false")
        return bool(value)

    def must_be(self, name: str, *allowed: Value) -> None:
        """Refuses a field that is neither absent nor one of the allowed values."""
        value = self.get(name)
        if value is not None and not any(type(value) is type(other) and value == other for other in allowed):
            raise self.error(name, " or ".join(map(repr, allowed)))

    def tensor(self, name: str, *sizes: tuple[int, ...]) -> Tensor | None:
        """A tensor of floats, of one of these sizes (any, if none is given); None if it is absent or empty."""
        value = self.get(name)
        if value is None or (isinstance(value, Tensor) and not value.size):
            return None
        if not isinstance(value, Tensor) or value.storage is None or value.storage.stored.dtype.kind != "f":
            raise self.error(name, "a tensor of floating-point numbers")
        if sizes and value.size not in sizes:
            expected = " or ".join(map(str, sizes))
            raise FormatError(
                f"{self.file.path}: {self.label}: its {name} has the size {value.size}; expected {expected}"
            )
        return value

    def needed(self, name: str, *sizes: tuple[int, ...]) -> Tensor:
        """As `tensor`; refuses one that is absent or empty."""
        tensor = self.tensor(name, *sizes)
        if tensor is None:
            raise self.error(name, "a tensor with elements")
        return tensor

    def modules(self, name: str = "modules") -> list[Module]:
        """A list of modules: a table with the keys 1, 2, 3, ..."""
        value = self.get(name)
        if not isinstance(value, Table):
            raise self.error(name, "a table of modules")
        children = [value.items.get(float(i)) for i in range(1, len(value.items) + 1)]
        modules = [child for child in children if isinstance(child, Module)]
        if not modules or len(modules) != len(children):
            raise self.error(name, "a list of one module or more, without gaps")
        return modules


def _conv(fields: Fields) -> Conv:
    inputs, outputs, kernel = fields.whole("nInputPlane"), fields.whole("nOutputPlane"), fields.side("k")
    for name in ("groups", "dilationW", "dilationH"):
        fields.must_be(name, 1.0)
    padding = fields.whole("padding") if fields.get("padding") is not None else fields.side("pad", 0)
    sizes = (outputs, inputs, kernel, kernel), (outputs, inputs * kernel * kernel)
    weight, bias = fields.needed("weight", *sizes), fields.tensor("bias", (outputs,))
    return Conv(fields.label, weight, bias, inputs, outputs, kernel, fields.side("d", 1), padding)


def _norm(fields: Fields) -> Norm:
    size = (fields.needed("running_mean").count,)
    mean = fields.needed("running_mean", size)
    # before version 2 of the class, which also Torch converts when it loads such a file
    inverse = fields.module.version < 2 and fields.get("running_std") is not None
    spread = fields.needed("running_std" if inverse else "running_var", size)
    weight, bias = fields.tensor("weight", size), fields.tensor("bias", size)
    if (weight is None) != (bias is None) or fields.get("affine") not in (None, weight is not None):
        raise fields.error("affine", "true where there are both weight and bias, false where there is neither")
    fields.must_be("mode", "CUDNN_BATCHNORM_SPATIAL", "CUDNN_BATCHNORM_SPATIAL_PERSISTENT")
    eps = fields.real("eps")
    if eps <= 0:
        raise fields.error("eps", "more than 0")
    return Norm(fields.label, weight, bias, mean, spread, inverse, eps)


def _relu(fields: Fields) -> Relu:
    fields.must_be("threshold", 0.0)
    fields.must_be("val", 0.0)
    fields.must_be("mode", "CUDNN_ACTIVATION_RELU")
    return Relu(fields.label)


def _dropout(fields: Fields) -> Dropout:
    p = fields.real("p")
    if not 0 <= p < 1:
        raise fields.error("p", "0 or more and less than 1")
    for name in ("stochastic_inference", "stochasticInference"):
        fields.must_be(name, False)
    return Dropout(fields.label, 1.0 if fields.flag("v2") else 1 - p)


def _max_pool(fields: Fields) -> Pool:
    fields.must_be("mode", "CUDNN_POOLING_MAX", "CUDNN_POOLING_MAX_DETERMINISTIC")
    return _pool(fields, "max")


def _average_pool(fields: Fields) -> Pool:
    modes = ("", "_INCLUDE_PADDING", "_COUNT_INCLUDE_PADDING", "_COUNT_EXCLUDE_PADDING")  # one without padding
    fields.must_be("mode", *(f"CUDNN_POOLING_AVERAGE{mode}" for mode in modes))
    if fields.module.class_name.startswith("nn.") and not fields.flag("divide"):
        raise fields.error("divide", "true; without it, nn sums up")
    if fields.module.class_name.startswith("cudnn."):
        fields.must_be("ceil_mode", False)  # cudnn counts the pixels beyond the edge, where nn leaves them out
    return _pool(fields, "avg")


def _pool(fields: Fields, kind: Literal["avg", "max"]) -> Pool:
    kernel, stride, padding = fields.side("k"), fields.side("d"), fields.side("pad", 0)
    if kernel < 1 or stride < 1:
        raise fields.error("kW", "a window and steps of 1 or more")
    return Pool(fields.label, kind, kernel, stride, padding, fields.flag("ceil_mode"))


def _flatten(fields: Fields) -> Flatten:
    """nn.Reshape(C), nn.View(C), nn.View(-1, C), nn.View(-1):setNumInputDims(3)."""
    size = fields.get("size")
    fields.must_be("batchMode", True)
    if not isinstance(size, Storage) or not 1 <= size.stored.count <= 2:
        raise fields.error("size", "one or two numbers")
    numbers = Tensor(size.at, "torch.LongTensor", (size.stored.count,), (1,), 0, size)
    sizes = [int(number) for number in fields.file.array(numbers)]
    view = fields.module.class_name == "nn.View"
    if view and sizes == [-1] and fields.get("numInputDims") == 3:
        return Flatten(fields.label, None)
    if len(sizes) == 2 and (not view or sizes[0] != -1):
        raise CheckpointError(f"{fields.file.path}: {fields.label}: gives each image the size {sizes}; expected one")
    fields.must_be("numInputDims", 3.0)
    return Flatten(fields.label, sizes[-1])


def _linear(fields: Fields) -> Linear:
    weight = fields.needed("weight")
    return Linear(fields.label, weight, fields.tensor("bias", weight.size[:1]))


def _join(fields: Fields) -> Join:
    fields.must_be("dimension", 2.0)
    fields.must_be("nInputDims", 4.0)
    return Join(fields.label)


#: {class of a module without children: what makes its layer}; a class in neither LEAVES nor CONTAINERS is an `Other`.
LEAVES: dict[str, Callable[[Fields], Layer]] = {
    "nn.SpatialConvolution": _conv,
    "nn.SpatialConvolutionMM": _conv,
    "cudnn.SpatialConvolution": _conv,
    "nn.SpatialBatchNormalization": _norm,
    "cudnn.SpatialBatchNormalization": _norm,
    "nn.ReLU": _relu,
    "cudnn.ReLU": _relu,
    "nn.Dropout": _dropout,
    "nn.SpatialMaxPooling": _max_pool,
    "cudnn.SpatialMaxPooling": _max_pool,
    "nn.SpatialAveragePooling": _average_pool,
    "cudnn.SpatialAveragePooling": _average_pool,
    "nn.Reshape": _flatten,
    "nn.View": _flatten,
    "nn.Linear": _linear,
    "nn.JoinTable": _join,
}


class Lowering:
    """Flattens a tree of modules into layers; refuses a module that is used twice.

    Args:
        file: the file of the modules.
    """

    def __init__(self, file: Torch7File) -> None:
        self.file = file
        self.met: set[Module] = set()

    def layers(self, module: Module, number: str = "") -> Iterator[Layer]:
        """The layers of a module, in the order in which the input passes them.

        Args:
            module: the module.
            number: of the module, such as "2.1" for the first child of the second; empty for the root.

        Raises:
            CheckpointError: modules that are used twice, nested too deep, or joined otherwise than in a dense layer.
            FormatError: a module that is broken.
        """
        label = f"module {number or 'at the top'} ({module.class_name}, offset {module.at:,})"
        if module in self.met or number.count(".") > MAX_NESTING:
            raise CheckpointError(
                f"{self.file.path}: {label} is used twice, or nested too deep; expected each module once, "
                f"at most {MAX_NESTING} within each other"
            )
        self.met.add(module)
        fields = Fields(self.file, module, label)
        if module.class_name in LEAVES:
            yield LEAVES[module.class_name](fields)
        elif module.class_name in CONTAINERS:
            yield from CONTAINERS[module.class_name](self, fields, number)
        elif module.class_name != "nn.Identity":
            yield Other(label, module.class_name)

    def _sequential(self, fields: Fields, number: str) -> Iterator[Layer]:
        for i, child in enumerate(fields.modules(), start=1):
            yield from self.layers(child, f"{number}.{i}".lstrip("."))

    def _data_parallel(self, fields: Fields, number: str) -> Iterator[Layer]:
        fields.must_be("dimension", 1.0)
        # in files of its first versions, the copies on the other GPUs follow; Torch takes parameters from the first
        yield from self.layers(fields.modules()[0], f"{number}.1".lstrip("."))

    def _concat(self, fields: Fields, number: str) -> Iterator[Layer]:
        fields.must_be("dimension", 2.0)
        branches = [tuple(self.layers(child, f"{number}.{i}")) for i, child in enumerate(fields.modules(), start=1)]
        if len(branches) != 2 or bool(branches[0]) == bool(branches[1]):
            counts = " and ".join(str(len(branch)) for branch in branches)
            raise CheckpointError(
                f"{self.file.path}: {fields.label} joins branches of {counts} layers; "
                "expected an nn.Identity and one other"
            )
        yield Dense(fields.label, branches[0] or branches[1], new_first=bool(branches[0]), joined=True)

    def _custom(self, fields: Fields, number: str) -> Iterator[Layer]:
        nets = [self._only(fields, name) for name in ("net1", "net2")]
        layers = tuple(layer for net in nets for layer in self.layers(net, number))
        copies = fields.modules() if fields.get("modules") is not None else nets
        if copies != nets:  # written by a deep copy; what is computed is net1 and net2
            again = tuple(layer for copy in copies for layer in self.layers(copy, number))
            if not self._same(layers, again):
                raise CheckpointError(
                    f"{self.file.path}: {fields.label}: its net1 and net2 differ from its modules; expected copies"
                )
        yield Dense(fields.label, layers, new_first=False, joined=False)

    def _only(self, fields: Fields, name: str) -> Module:
        value = fields.get(name)
        if not isinstance(value, Module):
            raise fields.error(name, "a module")
        return value

    def _same(self, first: object, second: object) -> bool:
        """Whether two layers, or tuples of them, compute the same function."""
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            same_view = (first.storage, first.size, first.stride, first.offset) == (
                second.storage, second.size, second.stride, second.offset,
            )  # fmt: skip
            return same_view or np.array_equal(self.file.array(first), self.file.array(second))
        if type(first) is not type(second):
            return False
        if isinstance(first, tuple) and isinstance(second, tuple):
            return len(first) == len(second) and all(map(self._same, first, second))
        if dataclasses.is_dataclass(first):
            names = (field.name for field in dataclasses.fields(first) if field.name != "label")
            return all(self._same(getattr(first, name), getattr(second, name)) for name in names)
        return first == second


CONTAINERS: dict[str, Callable[[Lowering, Fields, str], Iterator[Layer]]] = {
    "nn.Sequential": Lowering._sequential,
    "nn.DataParallelTable": Lowering._data_parallel,
    "nn.Concat": Lowering._concat,
    "nn.DenseConnectLayerCustom": Lowering._custom,
}
