"""Lowered steps into a program for one image size: sizes of maps, their places in the arena, pointers to weights."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densezoo.backends.native import library
from densezoo.backends.native.library import SLACK, Engine, Floats, Kind
from densezoo.backends.native.lowering import Lowered, LoweredStep
from densezoo.backends.native.packing import norm, panels, vectors, winograd
from densezoo.backends.native.windows import Taps, taps
from densezoo.errors import BackendError
from densezoo.types.computation import Computation, Node, channels, same_pads, sides

#: Floats of the widest vector; maps are laid out for it under every instruction set.
VECTOR = 16


class Weights:
    """A network's weights, each packed when it is first asked for, once for all image sizes.

    Args:
        tensors: {canonical name: float32 array}.
        vector: floats in a vector.
    """

    def __init__(self, tensors: Mapping[str, Floats], vector: int) -> None:
        self._tensors, self._vector = tensors, vector
        self._packed: dict[tuple[str, str], tuple[Floats, Floats]] = {}

    def norm(self, node: Node) -> tuple[Floats, Floats]:
        """(scale, shift) of a norm, in whole vectors."""
        key = (node.name, "norm")
        if key not in self._packed:
            scale, shift = self._folded(node)
            self._packed[key] = vectors(scale, VECTOR), vectors(shift, VECTOR)
        return self._packed[key]

    def matrix(self, step: LoweredStep) -> tuple[Floats, Floats]:
        """(matrices in panels, biases in whole vectors) of a convolution or linear layer.

        Args:
            step: its step.
        """
        key = (step.node.name, "matrix")
        if key not in self._packed:
            self._packed[key] = self._pack(step)
        return self._packed[key]

    def _folded(self, node: Node) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        weight, bias, mean, variance = (self._tensors[name] for name in node.weights)
        if node.attributes.get("fixed_scale"):
            weight = np.ones_like(weight)
        return norm(weight, bias, mean, variance, node.attributes["eps"])

    def _pack(self, step: LoweredStep) -> tuple[Floats, Floats]:
        weight = self._tensors[step.node.weights[0]].astype(np.float64)
        bias = np.zeros(len(weight))
        if len(step.node.weights) > 1:
            bias += self._tensors[step.node.weights[1]]
        if step.epilogue is not None:
            scale, shift = self._folded(step.epilogue)
            weight = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
            bias = bias * scale + shift
        if step.kind is Kind.WINOGRAD:
            matrices = winograd(weight)
        else:  # (out, in, height, width) -> (height, width, in; out), the order of an NHWC window's numbers
            matrices = np.moveaxis(weight, 1, -1).reshape(1, len(weight), -1).swapaxes(1, 2)
        return panels(matrices, self._vector), vectors(bias, VECTOR)


@dataclass
class Buffer:
    """A feature map in memory.

    Args:
        height, width: of the map, pixels.
        used: channels that are written to, those of whole vectors included.
        dense: whether nothing is left between pixels, as the convolution of an image reads them.
        first, last: numbers of the first and the last step that use it.
        offset: floats from the arena's start.
    """

    height: int
    width: int
    used: int = 0
    dense: bool = False
    first: int = 0
    last: int = 0
    offset: int = -1

    @property
    def stride(self) -> int:
        """Floats from a pixel to the next: no multiple of 256, or all pixels would share a few sets of the cache."""
        if self.dense:
            return self.used
        padded = -(-self.used // VECTOR) * VECTOR
        return padded + VECTOR if padded % 256 == 0 else padded

    @property
    def image(self) -> int:
        """Floats of one image's map."""
        return self.height * self.width * self.stride


@dataclass
class SizedProgram:
    """A program for one image size, with all that its pointers point to.

    Args:
        program: for the engine.
        floats: length of the arena.
        steps: as they were lowered, for who measures or shows them.
        held: arrays that the program points to.
    """

    program: library.Program
    floats: int
    steps: tuple[LoweredStep, ...]
    held: list[object] = field(default_factory=list)


class Sizing:
    """Makes a program of lowered steps.

    Args:
        computation, lowered: the network.
        weights: its weights.
        engine: the kernels.
        size: (height, width) of the images, pixels.
        images: how many at most the program takes at once.
    """

    def __init__(
        self,
        computation: Computation,
        lowered: Lowered,
        weights: Weights,
        engine: Engine,
        size: tuple[int, int],
        images: int,
    ) -> None:
        self.lowered, self.weights, self.engine, self.images = lowered, weights, engine, images
        self.channels, self.sides = channels(computation), sides(computation, *size)
        small = [name for name, side in self.sides.items() if min(side) < 1]
        if small:
            raise BackendError(f"backend native: images of {size[1]} x {size[0]} leave nothing at {small[0]}")
        for node in computation.nodes:
            if node.op == "flatten" and (side := self.sides[node.inputs[0]]) != (1, 1):
                raise BackendError(
                    f"backend native: images of {size[1]} x {size[0]} leave {side[1]} x {side[0]} pixels at "
                    f"{node.name}, whose classifier takes one"
                )
        self.size, self.held = size, list[object]()
        self.borders: dict[str, tuple[int, int]] = {}  # {buffer of an image: (rows above it, columns before it)}

    def program(self, normalisation: Mapping[str, Floats], floats: bool) -> SizedProgram:
        """The program.

        Args:
            normalisation: ``table``, ``mean``, ``deviation`` of csrc/program.h's steps.
            floats: whether the images are float32.
        """
        buffers = self._buffers()
        end = _place(buffers, self.images)
        steps = (library.Step * len(self.lowered.steps))()
        for step, lowered in zip(steps, self.lowered.steps):
            self._fill(step, lowered, buffers)
            if lowered.kind is Kind.LOAD:
                for name, values in normalisation.items():
                    setattr(step, name, self._pointer(values))
        scratch = max(self.engine.scratch_of(ctypes.byref(step)) for step in steps)
        logits = self._map(self.lowered.steps[-1].target, buffers)
        program = library.Program(steps, len(steps), int(floats), end, logits)
        return SizedProgram(program, end + scratch + SLACK, self.lowered.steps, [steps, *self.held])

    def _fill(self, step: library.Step, lowered: LoweredStep, buffers: dict[str, Buffer]) -> None:
        step.kind, step.relu = lowered.kind, int(lowered.epilogue is not None)
        step.kernel[:], step.strides[:] = (1, 1), (1, 1)
        step.output = self._map(lowered.target, buffers)
        if lowered.kind is Kind.LOAD:
            step.input.height, step.input.width = self.size
            step.pads[:] = self.borders[lowered.target]
            return
        step.input = self._map(lowered.source, buffers)
        if lowered.prologue:
            step.scale, step.shift = (self._pointer(values) for values in self.weights.norm(lowered.prologue))
        if lowered.kind is Kind.PATCHES:
            step.kernel[:], step.strides[:] = lowered.node.attributes["kernel"], lowered.node.attributes["stride"]
        pool = lowered.node if lowered.kind is Kind.POOL else lowered.pool
        if pool is not None:
            axes = zip((step.input.height, step.input.width), (step.output.height, step.output.width))
            tall, wide = (taps(pool, before, after, axis) for axis, (before, after) in enumerate(axes))
            step.rows, step.columns = (self._windows(axis, pool.op == "max_pool") for axis in (tall, wide))
        if lowered.kind is not Kind.POOL:
            step.weights, step.bias = (self._pointer(values) for values in self.weights.matrix(lowered))
        if lowered.producer:
            producer = library.Step()
            self._fill(producer, lowered.producer, buffers)
            self.held.append(producer)
            step.producer = ctypes.addressof(producer)

    def _windows(self, axis: Taps, largest: bool) -> library.Windows:
        weight = None if largest else self._pointer(axis.weight)
        return library.Windows(self._pointer(axis.index), weight, axis.index.shape[1])

    def _pointer(self, array: NDArray[np.float32] | NDArray[np.int32]) -> int:
        self.held.append(array)
        return int(array.ctypes.data)

    def _map(self, name: str, buffers: dict[str, Buffer]) -> library.Map:
        """The slice of a map that a node's output is."""
        place = self.lowered.slices.get(name)
        if place is None:  # never whole in memory
            return library.Map(0, 0, 0, *self.sides[name], 0, self.channels[name])
        buffer = buffers[place.buffer]
        size = (buffer.height, buffer.width)
        width = buffer.used if buffer.dense else self.channels[name]
        row = buffer.width * buffer.stride
        return library.Map(buffer.offset + place.first, buffer.image, row, *size, buffer.stride, width)

    def _buffers(self) -> dict[str, Buffer]:
        """Every map that steps write, with its size and the steps that use it."""
        buffers: dict[str, Buffer] = {}
        for number, step in enumerate(self.lowered.steps):
            place = self.lowered.slices[step.target]
            if place.buffer not in buffers:
                side = self.sides.get(step.target)
                buffers[place.buffer] = Buffer(*side, first=number) if side else self._image(number, step.target)
            written = buffers[place.buffer]
            written.last = number
            if not written.dense:
                written.used = max(written.used, place.first + -(-self.channels[step.target] // VECTOR) * VECTOR)
            if step.kind is not Kind.LOAD:
                buffers[self.lowered.slices[step.source].buffer].last = number
        return buffers

    def _image(self, number: int, name: str) -> Buffer:
        """The buffer of the image inside the zeros that the convolution after this LOAD adds to it."""
        node = self.lowered.steps[number + 1].node
        before, whole = [], []
        for axis, side in enumerate(self.size):
            pads = node.attributes["pads"]
            before.append(same_pads(node, side, axis) // 2 if pads == "same" else int(pads[axis]))
            outputs = self.sides[node.name][axis]
            needed = (outputs - 1) * node.attributes["stride"][axis] + node.attributes["kernel"][axis]
            whole.append(max(needed, before[axis] + side))
        self.borders[name] = (before[0], before[1])
        return Buffer(whole[0], whole[1], used=self.channels[node.inputs[0]], dense=True, first=number)


def _place(buffers: dict[str, Buffer], images: int) -> int:
    """Give every buffer the first place that no buffer has which is used at the same time; return the arena's length.

    Args:
        buffers: to be placed.
        images: that each holds.
    """
    placed: list[tuple[int, int, Buffer]] = []
    end = 0
    for buffer in sorted(buffers.values(), key=lambda buffer: -buffer.image):
        length = -(-(buffer.image * images + SLACK) // VECTOR) * VECTOR
        offset = 0
        for start, stop, other in sorted(placed, key=lambda item: item[0]):
            overlapping = other.first <= buffer.last and buffer.first <= other.last
            if overlapping and start < offset + length and offset < stop:
                offset = stop
        buffer.offset = offset
        placed.append((offset, offset + length, buffer))
        end = max(end, offset + length)
    return end
