"""One kernel of the native engine on maps of the test's own; whatever a kernel must not use is not a number."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densezoo.backends.native import library
from densezoo.backends.native.library import SLACK, Floats, Kind, aligned
from densezoo.backends.native.packing import vectors
from densezoo.backends.native.windows import Taps

Array = NDArray[np.float64]


@dataclass
class Case:
    """A step and the maps around it.

    Args:
        kind: the kernel.
        x: (N, H, W, C), its input.
        out: (H, W, C) of its output.
        weights: in panels.
        prologue: (scale, shift) of each input channel.
        bias: of each output channel.
        before: channels of the output's map before its slice.
        fields: further fields of the step.
        windows: of the rows and the columns; the largest value is taken where ``largest``.
    """

    kind: Kind
    x: Array
    out: tuple[int, int, int]
    weights: Floats | None = None
    prologue: tuple[Array, Array] | None = None
    bias: Array | None = None
    before: int = 0
    relu: bool = False
    dense: bool = False
    largest: bool = False
    windows: tuple[Taps, Taps] | None = None
    fields: Mapping[str, int | tuple[int, int]] = field(default_factory=dict)

    def run(self, bits: int) -> Floats:
        """The step's output (N, H, W, C), by an engine of that width."""
        engine = library.engine(bits)
        images, height, width, channels = self.x.shape
        stride = channels if self.dense else _stride(channels)
        source = library.Map(0, height * width * stride, width * stride, height, width, stride, channels)
        slack = -(-(images * source.image_stride + SLACK) // 16) * 16
        out_stride = _stride(self.before + self.out[2])
        row = self.out[1] * out_stride
        image = self.out[0] * row
        target = library.Map(slack + self.before, image, row, *self.out[:2], out_stride, self.out[2])
        step = library.Step(kind=self.kind, relu=int(self.relu), input=source, output=target)
        held = self._point(step)
        end = slack + -(-(images * image + SLACK) // 16) * 16
        arena = aligned(end + engine.scratch_of(ctypes.byref(step)) + SLACK)
        arena.fill(np.nan)
        _view(arena, source, images)[..., :channels] = self.x
        whole = library.Map(slack, image, row, *self.out[:2], out_stride, self.before)
        _view(arena, whole, images)[..., : self.before] = 7.0
        program = library.Program(ctypes.pointer(step), 1, 0, end, target)
        logits = np.empty((images, self.out[2]), np.float32)
        engine.run(ctypes.byref(program), None, images, arena.ctypes.data, logits.ctypes.data, None)
        assert np.all(_view(arena, whole, images)[..., : self.before] == 7.0)
        assert np.array_equal(_view(arena, source, images)[..., :channels], self.x.astype(np.float32))
        del held
        found: Floats = _view(arena, target, images)[..., : self.out[2]].copy()
        return found

    def _point(self, step: library.Step) -> list[object]:
        """Fill in the step's pointers; returns what they point to."""
        step.kernel[:], step.strides[:] = (1, 1), (1, 1)
        for name, value in self.fields.items():
            if isinstance(value, tuple):
                getattr(step, name)[:] = value
            else:
                setattr(step, name, value)
        held: list[object] = [self.weights]
        if self.weights is not None:
            step.weights = self.weights.ctypes.data
        names = {"scale": self.prologue and self.prologue[0], "shift": self.prologue and self.prologue[1]}
        for name, values in (names | {"bias": self.bias}).items():
            if values is not None:
                held.append(packed := vectors(values, 16))
                setattr(step, name, packed.ctypes.data)
        for name, axis in zip(("rows", "columns"), self.windows or ()):
            held.append(axis)
            weight = None if self.largest else axis.weight.ctypes.data
            setattr(step, name, library.Windows(axis.index.ctypes.data, weight, axis.index.shape[1]))
        return held


def _stride(channels: int) -> int:
    return -(-channels // 16) * 16 + 16


def _view(arena: Floats, where: library.Map, images: int) -> Floats:
    """The map's pixels (N, H, W, stride), from the slice's first channel on."""
    length = images * where.image_stride
    view: Floats = arena[where.offset : where.offset + length].reshape(images, where.height, where.width, where.stride)
    return view


def normed(case: Case) -> Array:
    """The input after the prologue, in float64 of the float32 that the kernel reads."""
    x = case.x.astype(np.float32).astype(np.float64)
    if case.prologue is None:
        return x
    scale, shift = (values.astype(np.float32).astype(np.float64) for values in case.prologue)
    return np.maximum(0.0, x * scale + shift)


def finished(case: Case, product: Array) -> Array:
    """A product after bias and ReLU."""
    if case.bias is not None:
        product = product + case.bias.astype(np.float32).astype(np.float64)
    return np.maximum(0.0, product) if case.relu else product


def error(found: Floats, expected: Array) -> float:
    """The largest difference, relative to the largest number that was expected."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())
