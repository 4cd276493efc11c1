"""A Torch7 file's layers -> the tensors of a DenseNet, under canonical names.

The layers are compared one by one with those of a DenseNet. Differences that weights can express (order of channels,
biases of convolutions, dropout that scales, several epsilons) are folded into the weights exactly, and named in the
hints. All other differences are refused.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray

from densezoo.errors import CheckpointError
from densezoo.families.densenet.layers import CANONICAL_TEMPLATES
from densezoo.formats.torch7.layers import Conv, Dense, Dropout, Flatten, Join, Layer, Linear, Norm, Other, Pool, Relu
from densezoo.formats.torch7.objects import Tensor
from densezoo.types import Checkpoint

L = TypeVar("L", bound=Layer)
Floats = NDArray[Any]

#: {kernel of the first convolution: (its stride, its padding, side of the images it is made for)}, in pixels.
STEMS = {7: (2, 3, 224), 3: (1, 1, 32)}

#: {class of a module: why it is refused}, for classes with a better reason than that no DenseNet has it.
REFUSED = {
    "nn.ConcatTable": "is what ResNets are made of",
    "nn.CAddTable": "is what ResNets are made of",
    **dict.fromkeys(
        ("nn.SoftMax", "cudnn.SoftMax", "nn.LogSoftMax", "cudnn.LogSoftMax"),
        "turns logits into something else; save the network without that module",
    ),
}


def fold_modules(checkpoint: Checkpoint) -> Checkpoint:
    """Replace the modules of a Torch7 file's checkpoint by canonical tensors.

    Args:
        checkpoint: the file.

    Raises:
        CheckpointError: the modules are no DenseNet's.
    """
    modules = cast("tuple[Layer, ...]", checkpoint.modules)
    with np.errstate(all="ignore"):  # conversion refuses NaN and infinity
        network = Network(checkpoint.path, checkpoint.tensors, modules)
        network.read()
        return dataclasses.replace(
            checkpoint,
            tensors={name: torch.from_numpy(array) for name, array in network.tensors.items()},
            semantics=network.semantics,
            hints=tuple(network.hints),
            modules=(),
        )


@dataclass(frozen=True)
class Features:
    """How the channels of a feature map in the file differ from the canonical ones.

    Args:
        order, offset: (channels,): file[order[i]] = canonical[i] + offset[i].
    """

    order: NDArray[np.intp]
    offset: NDArray[np.float64]

    @classmethod
    def plain(cls, channels: int) -> Features:
        """Equal channels.

        Args:
            channels: how many.
        """
        return cls(np.arange(channels), np.zeros(channels))

    @property
    def channels(self) -> int:
        """The number of channels."""
        return len(self.order)

    def sorted(self, values: Floats) -> Floats:
        """Values in canonical order.

        Args:
            values: (channels, ...) in the file's order.
        """
        return values if np.array_equal(self.order, np.arange(len(values))) else values[self.order]

    def beside(self, new: Features, new_first: bool) -> Features:
        """These channels concatenated with new ones; in canonical order the new ones come last.

        Args:
            new: the new channels.
            new_first: whether the file has them first.
        """
        shift_old, shift_new = (new.channels, 0) if new_first else (0, self.channels)
        order = np.concatenate([self.order + shift_old, new.order + shift_new])
        return Features(order, np.concatenate([self.offset, new.offset]))


class Network:
    """Reads the layers from the image to the logits; every method removes the layers that it reads from ``todo``.

    Args:
        path: the file, for messages.
        stored: {`Tensor.name`: its numbers} of the tensors that the layers take.
        layers: of the whole network.
    """

    def __init__(self, path: str, stored: Mapping[str, torch.Tensor], layers: Sequence[Layer]) -> None:
        self.path, self.stored = path, stored
        self.todo = list(layers[::-1])
        self.tensors: dict[str, Floats] = {}
        self.folded: set[str] = set()
        self.eps: dict[str, float] = {}
        self.transition_pools: set[str] = set()
        self.ceil_modes: set[bool] = set()  # of the transitions
        self.stem_ceil_mode: bool | None = None
        self.semantics: dict[str, object] = {}
        self.hints: list[str] = []

    def read(self) -> None:
        """Fills ``tensors``, ``semantics`` and ``hints``.

        Raises:
            CheckpointError: the layers are no DenseNet's.
        """
        self._refuse_others(self.todo[::-1])
        features, kernel = self._stem()
        block = 1
        features = self._block(features, block)
        while self._transition_follows():
            features = self._transition(features, block)
            block += 1
            features = self._block(features, block)
        side = STEMS[kernel][2] // (4 if kernel == 7 else 1) // 2 ** (block - 1)
        head = self._head(features)
        if self.todo:
            raise self._error("the end of the network", self.todo[-1])
        self._settle_eps()
        if len(self.transition_pools) > 1 or len(self.ceil_modes) > 1:
            raise CheckpointError(f"{self.path}: no DenseNet that densezoo can express: its poolings are not alike")
        stem = self.stem_ceil_mode
        ceil_mode = self.ceil_modes.pop() if self.ceil_modes else bool(stem)
        self.semantics |= {
            "transition_pool": self.transition_pools.pop() if self.transition_pools else "avg",
            "stem_padding": "torch",
            "pool_padding": "torch",
            "ceil_mode": ceil_mode,
            "stem_ceil_mode": None if stem in (None, ceil_mode) else stem,
        }
        if head != side:
            self.semantics["head_pool"] = head
        else:  # head_pool is left to the caller: only without it can other systems take the network
            self.hints.append(
                f"the file's last pool, {head}x{head}, is taken as one of the whole map, which it is for the images it "
                f"is made for; in larger ones Torch7 leaves the rest out, as head_pool={head} does"
            )
        if self.folded:
            self.hints.append(f"folded into the weights, exactly: {', '.join(sorted(self.folded))}")

    def _refuse_others(self, layers: Sequence[Layer]) -> None:
        for layer in layers:
            if isinstance(layer, Dense):
                self._refuse_others(layer.layers)
            elif isinstance(layer, Other):
                reason = REFUSED.get(layer.class_name, "is of a class that no DenseNet has")
                raise CheckpointError(f"{self.path}: no DenseNet that densezoo can express: {layer.label} {reason}")

    def _error(self, expected: str, found: Layer | None) -> CheckpointError:
        layer = f"{found.label}: {_summary(found)}" if found else "the end of the network"
        return CheckpointError(
            f"{self.path}: no DenseNet that densezoo can express: expected {expected}; found {layer}"
        )

    def _next(self, kind: type[L], expected: str) -> L:
        layer = self.todo.pop() if self.todo else None
        if not isinstance(layer, kind):
            raise self._error(expected, layer)
        return layer

    def _peek(self, *kinds: type[Layer]) -> bool:
        """Whether the next layers are of these kinds."""
        return len(self.todo) >= len(kinds) and all(map(isinstance, self.todo[: -len(kinds) - 1 : -1], kinds))

    def _transition_follows(self) -> bool:
        return self._peek(Norm, Relu, Conv)

    def _stem(self) -> tuple[Features, int]:
        """Read the stem; return the features of the first block, and the side of the first kernel."""
        conv = self.todo[-1] if self._peek(Conv) else None
        if not isinstance(conv, Conv) or (conv.stride, conv.padding) != STEMS.get(conv.kernel, (0, 0))[:2]:
            stems = " or ".join(f"{k}x{k} with stride {s} and padding {p}" for k, (s, p, _) in STEMS.items())
            raise self._error(f"a first convolution of {stems}", self.todo[-1] if self.todo else None)
        features = self._conv("stem.conv0", Features.plain(conv.inputs), conv.kernel, conv.stride, conv.padding)
        if conv.kernel == 7:
            features = self._norm_relu("stem.norm0", features)
            self.stem_ceil_mode = self._pool("a max pooling of 3x3 with stride 2 and padding 1", "max", 3, 2, 1)
        return features, conv.kernel

    def _block(self, features: Features, block: int) -> Features:
        """Read the dense layers of a block, one or more."""
        joined = layer = 0
        while layer == 0 or self._peek(Dense):
            dense = self._next(Dense, f"a dense layer of block {block}")
            layer += 1
            joined += dense.joined
            rest, self.todo = self.todo, list(dense.layers[::-1])
            features = features.beside(self._dense_layer(features, block, layer), dense.new_first)
            self.todo = rest
            if dense.new_first:
                self.folded.add("new channels before old ones")
        if joined not in (0, layer):
            raise self._error("dense layers of one kind in a block", dense)
        if not joined:
            self._next(Join, f"an nn.JoinTable after block {block}")
        return features

    def _dense_layer(self, features: Features, block: int, layer: int) -> Features:
        features = self._norm_relu("layer.norm1", features, block, layer)
        if len(self.todo) > 2:
            features = self._conv("layer.conv1", features, 1, 1, 0, block, layer)
            features = self._norm_relu("layer.norm2", features, block, layer)
            features = self._conv("layer.conv2", features, 3, 1, 1, block, layer)
        else:
            features = self._conv("layer.conv1", features, 3, 1, 1, block, layer)
        if self.todo:
            raise self._error("the end of a dense layer", self.todo[-1])
        return features

    def _transition(self, features: Features, block: int) -> Features:
        features = self._norm_relu("transition.norm", features, block)
        features = self._conv("transition.conv", features, 1, 1, 0, block)
        kind = self.todo[-1].kind if self.todo and isinstance(self.todo[-1], Pool) else "avg"
        self.ceil_modes.add(self._pool("a pooling of 2x2 with stride 2 and no padding", kind, 2, 2, 0))
        self.transition_pools.add(kind)
        return features

    def _head(self, features: Features) -> int:
        """Read the head; return the side of the average pooling's window, pixels."""
        features = self._norm_relu("final.norm", features)
        pool = self._next(Pool, "an average pooling of the whole map, without padding")
        if (pool.kind, pool.padding) != ("avg", 0):
            raise self._error("an average pooling of the whole map, without padding", pool)
        flatten = self._next(Flatten, f"an nn.Reshape or nn.View to {features.channels} numbers")
        linear = self._next(Linear, "an nn.Linear")
        if flatten.channels not in (None, features.channels):
            raise self._error(f"a reshaping to {features.channels} numbers an image", flatten)
        if len(linear.weight.size) != 2 or linear.weight.size[1] != features.channels:
            raise self._error(f"a classifier of {features.channels} features", linear)
        weight = self._array(linear.weight)
        self._keep("classifier.weight", features.sorted(weight.T).T)
        self._keep("classifier.bias", self._array(linear.bias) if linear.bias else np.zeros(len(weight)))
        return pool.kernel

    def _pool(self, expected: str, kind: str, kernel: int, stride: int, padding: int) -> bool:
        """Read a pool; return its ceil mode."""
        pool = self._next(Pool, expected)
        if (pool.kind, pool.kernel, pool.stride, pool.padding) != (kind, kernel, stride, padding):
            raise self._error(expected, pool)
        return pool.ceil_mode

    def _norm_relu(self, role: str, features: Features, block: int = 0, layer: int = 0) -> Features:
        """Read a norm and a ReLU; the norm's running mean takes the offset of the features."""
        name = _name(role, block, layer)
        norm = self._next(Norm, f"a batch norm ({name})")
        if norm.mean.size != (features.channels,):
            raise self._error(f"a batch norm of {features.channels} channels ({name})", norm)
        self._next(Relu, f"a ReLU after {name}")
        mean, variance = self._array(norm.mean), self._array(norm.spread).astype(np.float64)
        if norm.inverse:
            variance = variance**-2 - norm.eps
        if not np.all(variance + norm.eps > 0):  # false for NaN too
            raise self._error(f"running variances above -eps ({name})", norm)
        weight = self._array(norm.weight) if norm.weight else np.ones_like(mean)
        bias = self._array(norm.bias) if norm.bias else np.zeros_like(mean)
        mean = features.sorted(mean)
        self._keep(f"{name}.running_mean", mean - features.offset if features.offset.any() else mean)
        for param, values in (("running_var", variance), ("weight", weight), ("bias", bias)):
            self._keep(f"{name}.{param}", features.sorted(values))
        self.eps[name] = norm.eps
        return Features(features.order, np.zeros(features.channels))

    def _conv(
        self, role: str, features: Features, kernel: int, stride: int, padding: int, block: int = 0, layer: int = 0
    ) -> Features:
        """Read a convolution, and the dropout that may follow it."""
        name = _name(role, block, layer)
        expected = (
            f"a convolution of {features.channels} channels, {kernel}x{kernel}, stride {stride}, padding {padding}"
        )
        conv = self._next(Conv, f"{expected} ({name})")
        if (conv.inputs, conv.kernel, conv.stride, conv.padding) != (features.channels, kernel, stride, padding):
            raise self._error(f"{expected} ({name})", conv)
        weight = self._array(conv.weight).reshape(conv.outputs, conv.inputs, kernel, kernel)
        weight = features.sorted(weight.swapaxes(0, 1)).swapaxes(0, 1)
        bias = self._array(conv.bias).astype(np.float64) if conv.bias else np.zeros(conv.outputs)
        if not np.isfinite(bias).all():
            raise self._error(f"a bias of finite numbers ({name})", conv)
        if bias.any():
            self.folded.add("biases of convolutions")
        factor = self._next(Dropout, "a dropout").factor if self._peek(Dropout) else 1.0
        if factor != 1:
            self.folded.add("dropout that scales in evaluation")
            weight = weight * weight.dtype.type(factor)
        self._keep(f"{name}.weight", weight)
        return Features(np.arange(conv.outputs), bias * factor)

    def _array(self, tensor: Tensor) -> Floats:
        return self.stored[tensor.name].numpy()

    def _keep(self, name: str, values: Floats) -> None:
        """Store a tensor as float32; a number that is too large becomes infinite."""
        self.tensors[name] = np.ascontiguousarray(values, dtype=np.float32)

    def _settle_eps(self) -> None:
        """Use the smallest epsilon for all norms; the difference to a larger one is added to the norm's variances."""
        smallest = min(self.eps.values())
        for name, eps in self.eps.items():
            if eps != smallest:
                self.folded.add("several epsilons")
                variance = self.tensors[f"{name}.running_var"].astype(np.float64)
                self._keep(f"{name}.running_var", variance + (eps - smallest))
        self.semantics["bn_eps"] = smallest


def _name(role: str, block: int, layer: int) -> str:
    return CANONICAL_TEMPLATES[role].format(block=block, layer=layer)


def _summary(layer: Layer) -> str:
    """A layer's numbers, for messages."""
    numbers = ((key, value) for key, value in vars(layer).items() if isinstance(value, (int, float, str)))
    tensors = ((key, value.size) for key, value in vars(layer).items() if isinstance(value, Tensor))
    return ", ".join(f"{key} {value}" for key, value in [*numbers, *tensors] if key != "label") or type(layer).__name__
