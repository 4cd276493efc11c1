"""Writes Torch7 files field by field, and networks as the authors' code builds them.

The layout is that of ``File.lua`` and ``THDiskFile.c`` in https://github.com/torch/torch7; `Writer.fields` says where
each field stands, so that tests can cut the file there, or make the field lie.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Checkpoint

CODES = {"Float": "f4", "Double": "f8", "Half": "f2", "Long": "i8", "Int": "i4", "Byte": "u1", "Char": "i1"}


@dataclass(eq=False)
class Obj:
    """An object; ``before``: values that its class writes before the table of its fields."""

    class_name: str
    fields: Any
    version: int | None = 1
    before: tuple[Any, ...] = ()


@dataclass(eq=False)
class Sto:
    """A storage."""

    kind: str
    values: np.ndarray


@dataclass(eq=False)
class Ten:
    """A tensor; offset counts from 0, as nowhere in the file."""

    kind: str
    size: tuple[int, ...]
    stride: tuple[int, ...]
    offset: int
    storage: Any


@dataclass(eq=False)
class Fun:
    """A function."""

    bytecode: bytes
    upvalues: Any
    type_number: int = 8


@dataclass(frozen=True)
class Field:
    """``kind`` is type, index, length, count, size, stride, offset, text, number, boolean or elements."""

    kind: str
    start: int
    end: int


@dataclass
class Writer:
    """writer.write(value), then writer.data."""

    ascii: bool = False
    long_size: int = 8
    data: bytearray = field(default_factory=bytearray)
    fields: list[Field] = field(default_factory=list)
    numbers: dict[int, int] = field(default_factory=dict)
    alive: list[Any] = field(default_factory=list)

    def put(self, kind: str, data: bytes) -> None:
        self.fields.append(Field(kind, len(self.data), len(self.data) + len(data)))
        self.data += data

    def integers(self, kind: str, *values: int, code: str = "i") -> None:
        if self.ascii:
            self.put(kind, b" ".join(b"%d" % value for value in values) + b"\n" if values else b"")
            return
        code = {"l": "q" if self.long_size == 8 else "i"}.get(code, code)
        for value in values:
            self.put(kind, struct.pack(f"<{code}", value))

    def text(self, text: bytes, kind: str = "text") -> None:
        self.integers("length", len(text))
        if text:
            self.put(kind, text + (b"\n" if self.ascii else b""))

    def write(self, value: Any) -> Writer:
        if value is None:
            self.integers("type", 0)
        elif isinstance(value, bool):
            self.integers("type", 5)
            self.integers("boolean", int(value))
        elif isinstance(value, (int, float)):
            self.integers("type", 1)
            self.put("number", b"%.17g\n" % value if self.ascii else struct.pack("<d", value))
        elif isinstance(value, (str, bytes)):
            self.integers("type", 2)
            self.text(value.encode() if isinstance(value, str) else value)
        elif isinstance(value, Fun) and value.type_number == 6:
            self.integers("type", 6)
            self.text(value.bytecode, "bytecode")
            self.write(value.upvalues)
        else:
            self._referenced(value)
        return self

    def _referenced(self, value: Any) -> None:
        self.integers(
            "type", 3 if isinstance(value, (dict, list)) else value.type_number if isinstance(value, Fun) else 4
        )
        known = id(value) in self.numbers
        number = self.numbers.setdefault(id(value), len(self.numbers) + 1)
        self.integers("index", number)
        if known:
            return
        self.alive.append(value)
        if isinstance(value, (dict, list)):
            entries = dict(enumerate(value, start=1)) if isinstance(value, list) else value
            self.integers("count", len(entries))
            for key, item in entries.items():
                self.write(key)
                self.write(item)
        elif isinstance(value, Fun):
            self.text(value.bytecode, "bytecode")
            self.write(value.upvalues)
        else:
            self._object(value)

    def _object(self, value: Any) -> None:
        name = value.class_name if isinstance(value, Obj) else f"torch.{value.kind}{type(value).__name__}"
        name = name.removesuffix("Ten").removesuffix("Sto") + {"Ten": "Tensor", "Sto": "Storage"}.get(name[-3:], "")
        version = value.version if isinstance(value, Obj) else 1
        if version is not None:
            self.text(b"V %d" % version)
        self.text(name.encode())
        if isinstance(value, Sto):
            self._elements(value)
        elif isinstance(value, Ten):
            self.integers("dimensions", len(value.size))
            self.integers("size", *value.size, code="l")
            self.integers("stride", *value.stride, code="l")
            self.integers("offset", value.offset + 1, code="l")
            self.write(value.storage)
        else:
            for item in value.before:
                self.write(item)
            self.write(value.fields)

    def _elements(self, storage: Sto) -> None:
        values = storage.values
        self.integers("count", len(values), code="l")
        if self.ascii and values.dtype.itemsize > 1 and len(values):
            form = "%d" if values.dtype.kind == "i" else "%.17g" if values.dtype.itemsize == 8 else "%.9g"
            self.put("elements", " ".join(form % value for value in values).encode() + b"\n")
        elif len(values):
            data = (
                values.astype("<i4").tobytes() if values.dtype == np.int64 and self.long_size == 4 else values.tobytes()
            )
            self.put("elements", data + (b"\n" if self.ascii else b""))


def dumps(value: Any, **options: Any) -> bytes:
    return bytes(Writer(**options).write(value).data)


@dataclass
class Style:
    """How a network is written.

    Args:
        kind: of tensors: Float, Cuda, Double, Half, CudaDouble, ...
        layout: "2016" (nn.Concat in the top Sequential), "2017" (in a Sequential of its own) or "custom"
            (nn.DenseConnectLayerCustom and nn.JoinTable).
        backend: "nn" or "cudnn".
        gradients: whether gradWeight and gradBias are written.
        flat: whether all parameters are views of one storage.
        dropout: p, or None; of the first version where ``dropout_v1``.
        matrix: nn.SpatialConvolutionMM with 2-D weights.
        bias: whether convolutions have one.
        new_first: nn.Concat{net, Identity}.
        inverse_std: batch norms of version 1.
    """

    kind: str = "Float"
    layout: str = "2017"
    backend: str = "cudnn"
    gradients: bool = False
    flat: bool = False
    dropout: float | None = None
    dropout_v1: bool = False
    matrix: bool = False
    bias: bool = False
    new_first: bool = False
    inverse_std: bool = False


class Builder:
    """A `densezoo.families.densenet.network.DenseNet` as Torch's modules."""

    def __init__(self, model: DenseNet, style: Style | None = None) -> None:
        self.model, self.style = model, style or Style()
        self.state = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
        self.arch = model.arch
        self.flat: list[np.ndarray] = []
        self.views: list[Ten] = []

    def tensor(self, array: np.ndarray, shared: bool = False) -> Ten:
        kind = self.style.kind
        values = np.ascontiguousarray(array, dtype=CODES.get(kind.removeprefix("Cuda") or "Float", "f4"))
        strides = tuple(stride // values.itemsize for stride in values.strides)
        if shared and self.style.flat:
            view = Ten(kind, values.shape, strides, sum(part.size for part in self.flat), None)
            self.flat.append(values.ravel())
            self.views.append(view)
            return view
        return Ten(kind, values.shape, strides, 0, Sto(kind, values.ravel()))

    def module(self, name: str, /, **fields: Any) -> Obj:
        common = {"_type": f"torch.{self.style.kind}Tensor", "output": Ten(self.style.kind, (), (), 0, None)}
        prefix = "nn" if name in PLAIN else self.style.backend
        return Obj(f"{prefix}.{name}", {**common, "train": False, **fields})

    def parameters(self, **arrays: np.ndarray) -> dict[str, Ten]:
        fields = {name: self.tensor(array, shared=True) for name, array in arrays.items()}
        if self.style.gradients:
            fields |= {f"grad{name.title()}": self.tensor(np.zeros_like(array)) for name, array in arrays.items()}
        return fields

    def conv(self, name: str, stride: int = 1) -> Obj:
        weight = self.state[f"{name}.weight"]
        outputs, inputs, kernel, _ = weight.shape
        arrays = {"weight": weight.reshape(outputs, -1) if self.style.matrix else weight}
        if self.style.bias:
            arrays["bias"] = np.zeros(outputs)
        padding = kernel // 2
        return self.module(
            "SpatialConvolutionMM" if self.style.matrix else "SpatialConvolution",
            nInputPlane=inputs, nOutputPlane=outputs, kW=kernel, kH=kernel, dW=stride, dH=stride,
            padW=padding, padH=padding, **self.parameters(**arrays),
        )  # fmt: skip

    def norm(self, name: str) -> Obj:
        weight, bias, mean, var = (
            self.state[f"{name}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")
        )
        eps = self.arch.bn_eps
        spread = (
            {"running_std": self.tensor((var.astype("f8") + eps) ** -0.5)}
            if self.style.inverse_std
            else {"running_var": self.tensor(var)}
        )
        module = self.module(
            "SpatialBatchNormalization",
            affine=True, eps=eps, momentum=0.1, running_mean=self.tensor(mean), **spread,
            **self.parameters(weight=weight, bias=bias),
        )  # fmt: skip
        module.version = 1 if self.style.inverse_std else 2
        return module

    def relu(self) -> Obj:
        return self.module("ReLU", inplace=True, **({"threshold": 0, "val": 0} if self.style.backend == "nn" else {}))

    def dropout(self) -> list[Obj]:
        style = self.style
        return [] if style.dropout is None else [self.module("Dropout", p=style.dropout, v2=not style.dropout_v1)]

    def pool(self, name: str, kernel: int, stride: int, padding: int = 0, **fields: Any) -> Obj:
        sizes = {"kW": kernel, "kH": kernel, "dW": stride, "dH": stride, "padW": padding, "padH": padding}
        divide = {"divide": True} if name == "SpatialAveragePooling" and self.style.backend == "nn" else {}
        return self.module(name, ceil_mode=False, **sizes, **divide, **fields)

    def sequential(self, modules: list[Obj]) -> Obj:
        return self.module("Sequential", modules=modules)

    def dense(self, name: str, bottleneck: bool) -> Obj:
        first = [self.norm(f"{name}.norm1"), self.relu()]
        then = [self.conv(f"{name}.conv1"), *self.dropout()]
        if bottleneck:
            then += [self.norm(f"{name}.norm2"), self.relu(), self.conv(f"{name}.conv2"), *self.dropout()]
        if self.style.layout == "custom":
            net1, net2 = self.sequential(first), self.sequential(then)
            return self.module("DenseConnectLayerCustom", net1=net1, net2=net2, modules=[net1, net2])
        branches = [self.module("Identity"), self.sequential(first + then)]
        concat = self.module("Concat", dimension=2, modules=branches[::-1] if self.style.new_first else branches)
        return concat if self.style.layout == "2016" else self.sequential([concat])

    def layers(self) -> Iterator[Obj]:
        arch, imagenet = self.arch, self.arch.stem == "imagenet"
        yield self.conv("features.conv0", stride=2 if imagenet else 1)
        if imagenet:
            yield from (self.norm("features.norm0"), self.relu(), self.pool("SpatialMaxPooling", 3, 2, 1))
        for block, depth in enumerate(arch.block_config, start=1):
            for layer in range(1, depth + 1):
                yield self.dense(f"features.denseblock{block}.denselayer{layer}", arch.bn_size is not None)
            if self.style.layout == "custom":
                yield self.module("JoinTable", dimension=2)
            if block < len(arch.block_config):
                name = f"features.transition{block}"
                yield from (self.norm(f"{name}.norm"), self.relu(), self.conv(f"{name}.conv"), *self.dropout())
                yield self.pool("SpatialAveragePooling", 2, 2)
        yield from (self.norm("features.norm5"), self.relu())
        side = (56 if imagenet else 32) >> (len(arch.block_config) - 1)
        weight = self.state["classifier.weight"]
        yield self.pool("SpatialAveragePooling", side, side)
        yield self.module("Reshape", size=Sto("Long", np.array([weight.shape[1]])), nelement=weight.shape[1])
        yield self.module("Linear", **self.parameters(weight=weight, bias=self.state["classifier.bias"]))

    def build(self) -> Obj:
        root = self.sequential(list(self.layers()))
        if self.flat:
            storage = Sto(self.style.kind, np.concatenate(self.flat))
            for view in self.views:
                view.storage = storage
        return root


#: Modules that only nn has.
PLAIN = {"Sequential", "Concat", "Identity", "Dropout", "Reshape", "Linear", "JoinTable", "DenseConnectLayerCustom"}
PLAIN |= {"SpatialConvolutionMM"}


def write_network(path: Any, model: DenseNet, style: Style | None = None, **options: Any) -> None:
    with torch.no_grad():
        path.write_bytes(dumps(Builder(model, style).build(), **options))


def numbered(*size: int) -> Ten:
    """A tensor of the numbers 0, 1, 2, ..., rows last."""
    count = int(np.prod(size))
    stride = tuple(int(np.prod(size[i + 1 :])) for i in range(len(size)))
    return Ten("Float", size, stride, 0, Sto("Float", np.arange(count, dtype="f4")))


def read_network(path: Path, *modules: Obj) -> Checkpoint:
    """What densezoo reads of a file with these modules in a sequence."""
    path.write_bytes(dumps(Obj("nn.Sequential", {"modules": list(modules)})))
    return read_checkpoint(path)
