"""A dense block, and the transition after it, as one autograd function with one buffer of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from densezoo.families.densenet.recomputed_step import (
    LAST,
    Facts,
    Modules,
    Step,
    plus_line,
    statistics,
    update_running,
)


class BlockFunction(torch.autograd.Function):
    """A block's layers, and norm, ReLU, pool and convolution of its transition, as one function."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        layers: Sequence[list[Modules]],
        tail: bool,
        mode: str,
        layout: torch.memory_format,
        *weights: Tensor,
    ) -> Tensor:
        """Features or the transition's output.

        Args:
            x: the block's input, (N, C, H, W).
            layers: the steps of each layer.
            tail: whether the last of them is the transition's step.
            mode: one of MEMORY_MODES but "none".
            layout: of the plain network's maps, in which dropout draws.
            weights: of all steps, for which gradients are wanted.
        """
        first = _Forward(x, layers, tail, mode, layout)
        with torch.autocast(x.device.type, enabled=False):
            output = first.run()
        ctx.mode, ctx.tail, ctx.channels = mode, tail, x.shape[1]
        ctx.facts = [[step.facts for step in steps] for steps in first.steps]
        kept = x if mode == "checkpoint" else first.features
        tensors = [tensor for steps in first.steps for step in steps for tensor in step[:5]]
        ctx.save_for_backward(kept, first.mean, *tensors, *first.bottlenecks)
        return output

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients for the block's input and all weights."""
        kept, mean, *tensors = ctx.saved_tensors
        steps: list[list[Step]] = []
        for facts in ctx.facts:
            steps.append([])
            for each in facts:
                weight, bias, kernel, mean_taken, var, *tensors = tensors
                steps[-1].append(Step(weight, bias, kernel, mean_taken, var, each))
        with torch.autocast(kept.device.type, enabled=False):
            features = kept
            if ctx.mode == "checkpoint":
                layers = steps[:-1] if ctx.tail else steps
                width = ctx.channels + sum(each[-1].kernel.shape[0] for each in layers)
                features = _buffer(kept, width, steps[0][0].facts.kind)
                _fill(features, ctx.channels, layers)
            back = _Backward(features, mean, ctx.needs_input_grad[5:])
            if ctx.tail:
                back.reduce(steps.pop()[0], grad)
            else:
                back.grad = grad.to(features.dtype).clone(memory_format=LAST)
            while steps:
                layer = steps.pop()
                back.layer(layer, tensors.pop() if ctx.mode == "shared" and len(layer) == 2 else None)
            for_x = back.final(0, ctx.channels).to(kept.dtype) if ctx.needs_input_grad[0] else None
        return for_x, None, None, None, None, *back.weights


def _buffer(x: Tensor, width: int, kind: torch.dtype) -> Tensor:
    """A tensor for all features of a block, channels-last, with x in the first channels.

    Args:
        x: the block's input, (N, C, H, W).
        width: the features' number.
        kind: that convolutions compute in.
    """
    shape, dtype = (x.shape[0], width, *x.shape[2:]), torch.promote_types(x.dtype, kind)
    features = torch.empty(shape, dtype=dtype, device=x.device, memory_format=LAST)
    features[:, : x.shape[1]] = x
    return features


class _Forward:
    """The pass through a block that decides all statistics and draws all dropout.

    Args:
        x, layers, tail, mode, layout: of `BlockFunction.forward`.
    """

    def __init__(
        self, x: Tensor, layers: Sequence[list[Modules]], tail: bool, mode: str, layout: torch.memory_format
    ) -> None:
        self.x, self.layers, self.tail, self.mode, self.layout = x, layers, tail, mode, layout
        device = x.device.type
        cast = torch.is_autocast_enabled(device) and x.dtype != torch.float64
        self.kind = torch.get_autocast_dtype(device) if cast else x.dtype
        grown = sum(modules[-1].conv.out_channels for modules in (layers[:-1] if tail else layers))
        self.features = _buffer(x, x.shape[1] + grown, self.kind)
        exact = torch.promote_types(self.features.dtype, torch.float32)
        self.mean, self.var = torch.zeros(2, self.features.shape[1], dtype=exact, device=x.device)
        self.counted = 0  # channels whose statistics have been taken
        self.steps: list[list[Step]] = []
        self.bottlenecks: list[Tensor] = []

    def run(self) -> Tensor:
        """All layers' features, or the output of the transition's step."""
        channels = self.x.shape[1]
        for modules in self.layers:
            x = self.features[:, :channels]
            self.steps.append([])
            for place, module in enumerate(modules):
                step = self._step(module, x, shared=place == 0)
                x = step.forward(x)
                self.steps[-1].append(step)
                if self.mode == "shared" and place + 1 < len(modules):
                    self.bottlenecks.append(x)
            if self.tail and len(self.steps) == len(self.layers):
                return x
            self.features[:, channels : channels + x.shape[1]] = x
            channels += x.shape[1]
        return self.features

    def _step(self, module: Modules, x: Tensor, *, shared: bool) -> Step:
        """A module's step on x, with the statistics that its norm takes there.

        Args:
            shared: whether x is a slice of the features, whose statistics are taken once.
        """
        norm = module.norm
        if not module.by_batch:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            mean, var = norm.running_mean.clone(), norm.running_var.clone()
        else:
            mean, var = self._of_features(x.shape[1]) if shared else statistics(x)
            update_running(norm, mean, var, x.numel() // x.shape[1])
        padding = module.conv.padding
        assert isinstance(padding, tuple)
        facts = Facts(norm.eps, module.by_batch, padding[0], module.pool, module.drop_rate, self.kind, self.layout)
        return Step(*module.weights, mean, var, facts)

    def _of_features(self, channels: int) -> tuple[Tensor, Tensor]:
        """The statistics of the first so many features."""
        if self.counted < channels:
            new = slice(self.counted, channels)
            self.mean[new], self.var[new] = statistics(self.features[:, new])
            self.counted = channels
        return self.mean[:channels], self.var[:channels]


def _fill(features: Tensor, channels: int, layers: Sequence[Sequence[Step]]) -> None:
    """Compute a block's features again.

    Args:
        features: of `_buffer`.
        channels: of the block's input.
        layers: the steps of each layer.
    """
    for steps in layers:
        x = features[:, :channels]
        for step in steps:
            x = step.forward(x)
        features[:, channels : channels + x.shape[1]] = x
        channels += x.shape[1]


class _Backward:
    """The way back through a block.

    Args:
        features: of the block.
        mean: of its channels, by which the batch norms of features go.
        wanted: for each weight whether its gradient is wanted.
    """

    def __init__(self, features: Tensor, mean: Tensor, wanted: Sequence[bool]) -> None:
        self.features, self.mean = features, mean
        self.wanted = list(wanted)
        self.weights: list[Tensor | None] = []
        self.channels = features.shape[1]
        self.grad = torch.empty(0)
        self.slope, self.offset = torch.zeros(2, self.channels, dtype=mean.dtype, device=mean.device)

    def reduce(self, step: Step, grad: Tensor) -> None:
        """Begin with a transition.

        Args:
            step: the transition's.
            grad: for its output.
        """
        self.grad = torch.empty_like(self.features)
        self._first(step, grad.to(step.facts.kind), add=False)

    def layer(self, steps: Sequence[Step], bottleneck: Tensor | None) -> None:
        """Go back through one layer.

        Args:
            steps: of the layer.
            bottleneck: the output of the first of two; None: it is computed again.
        """
        new = steps[-1].kernel.shape[0]
        grad = self.final(self.channels - new, self.channels).to(steps[-1].facts.kind)
        self.channels -= new
        if len(steps) == 2:
            x = steps[0].forward(self.features[:, : self.channels]) if bottleneck is None else bottleneck
            grad = self._second(steps[1], x, grad)
        self._first(steps[0], grad, add=True)

    def _second(self, step: Step, x: Tensor, grad: Tensor) -> Tensor:
        """The gradient for the input of a bottleneck's second step."""
        into = torch.empty_like(x)
        gradients = step.backward(x, grad, into, add=False, wanted=self.wanted[-1])
        self._keep(gradients)
        if not step.facts.by_batch:
            return into
        return plus_line(into, x, step.mean, *step.by_statistics(gradients[0], gradients[1], x.numel() // x.shape[1]))

    def _first(self, step: Step, grad: Tensor, *, add: bool) -> None:
        """Take a step that reads features back to these."""
        x, into = self.features[:, : self.channels], self.grad[:, : self.channels]
        gradients = step.backward(x, grad, into, add=add, wanted=self.wanted[-1])
        self._keep(gradients)
        if step.facts.by_batch:
            slope, offset = step.by_statistics(gradients[0], gradients[1], x.numel() // x.shape[1])
            self.slope[: self.channels] += slope
            self.offset[: self.channels] += offset

    def _keep(self, gradients: Sequence[Tensor]) -> None:
        """Put the gradients of one step's norm and kernel before those of the steps behind it."""
        three = [gradients[0], gradients[1], gradients[2] if self.wanted[-1] else None]
        self.weights[:0] = [each if wanted else None for each, wanted in zip(three, self.wanted[-3:])]
        del self.wanted[-3:]

    def final(self, first: int, last: int) -> Tensor:
        """The gradient for a range of channels of which all readers have been gone through."""
        new = slice(first, last)
        grad, x = self.grad[:, new], self.features[:, new]
        return plus_line(grad, x, self.mean[new], self.slope[new], self.offset[new])
