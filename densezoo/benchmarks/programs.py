"""The programs that are timed: densezoo's backends, and what others do with the same weights by their own code."""

from __future__ import annotations

import contextlib
import os
import threading
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from densezoo.backends.base import create_backend
from densezoo.benchmarks.task import Task
from densezoo.data.preprocess import normalise
from densezoo.errors import EvaluationError
from densezoo.families import build_model, family_of
from densezoo.formats.detect import read_checkpoint

Floats = NDArray[np.float32]

OWN = "densezoo "  # and a backend's name: a program of densezoo's
#: {precision: torch's type} of the programs that compute under autocast.
AUTOCAST: Mapping[str, torch.dtype] = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Running(typing.Protocol):
    """A program with its network loaded.

    Args:
        concurrent: whether several threads may call it at once, each computing by itself.
    """

    concurrent: bool

    def prepare(self, pixels: Tensor) -> Any:
        """The program's own input, made before the time is taken; pixels are (N, C, H, W) uint8."""

    def __call__(self, prepared: Any) -> Tensor:
        """Logits (N, num_classes), computed when the call returns."""


@dataclass
class OwnBackend:
    """One of densezoo's backends, on pixels: normalising is a part of its time."""

    backend: Callable[[Tensor], Tensor]
    concurrent: bool
    device: str

    def prepare(self, pixels: Tensor) -> Tensor:
        return pixels.to(self.device)

    def __call__(self, prepared: Tensor) -> Tensor:
        logits = self.backend(prepared)
        wait(self.device)
        return logits


@dataclass
class TorchNetwork:
    """A network of another package in eval mode, on normalised floats."""

    network: nn.Module
    task: Task
    memory_format: torch.memory_format
    concurrent: bool = False

    def prepare(self, pixels: Tensor) -> Tensor:
        floats = normalise(pixels.to(self.task.device), self.task.preprocessing)
        return floats.contiguous(memory_format=self.memory_format)

    @torch.inference_mode()
    def __call__(self, prepared: Tensor) -> Tensor:
        kind = AUTOCAST.get(self.task.precision)
        under = torch.autocast(self.task.device.partition(":")[0], kind) if kind else contextlib.nullcontext()
        with under:
            logits: Tensor = self.network(prepared)
        wait(self.task.device)
        return logits


@dataclass
class Session:
    """A runtime's compiled graph, on normalised floats."""

    infer: Callable[[Floats], Floats]
    task: Task
    concurrent: bool = False

    def prepare(self, pixels: Tensor) -> Floats:
        return normalise(pixels, self.task.preprocessing).contiguous().numpy()

    def __call__(self, prepared: Floats) -> Tensor:
        return torch.from_numpy(self.infer(prepared))


def wait(device: str) -> None:
    """Wait until a GPU has computed what it was given.

    Args:
        device: "cpu", "cuda", ...
    """
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)


def _start_torch(builder: str, memory_format: torch.memory_format, task: Task) -> Running:
    network = load(build_model(task.network, builder), task)
    return TorchNetwork(network.to(task.device, memory_format=memory_format), task, memory_format)  # type: ignore[call-overload]


def mmpretrain_file(task: Task) -> tuple[str, Path]:
    """The number in mmpretrain's name of the network, and a file of the weights under mmpretrain's names.

    Args:
        task: has network and weights.

    Raises:
        EvaluationError: mmpretrain has no such network.
    """
    arch = task.network
    names: dict[tuple[int, ...], str] = {
        (6, 12, 24, 16): "121", (6, 12, 36, 24): "161", (6, 12, 32, 32): "169", (6, 12, 48, 32): "201",
    }  # fmt: skip
    blocks: tuple[int, ...] = getattr(arch, "block_config", ())
    number = names.get(blocks)
    system = family_of(arch).systems.get("mmpretrain")
    if number is None or system is None or system.write is None or system.cannot_store(arch):
        raise EvaluationError("mmpretrain has no configuration of this network")
    path = task.folder() / f"mmpretrain.{os.getpid()}.pth"
    system.write(path, arch, read_checkpoint(task.weights).tensors, {})
    return number, path


def _start_mmpretrain(memory_format: torch.memory_format, task: Task) -> Running:
    """mmpretrain's own classifier of its own name, which loads the weights under its own names."""
    number, path = mmpretrain_file(task)
    from mmpretrain import get_model  # here, because it takes seconds

    network = get_model(f"densenet{number}_3rdparty_in1k", pretrained=str(path), device=task.device).eval()
    return TorchNetwork(network.to(memory_format=memory_format), task, memory_format)


def _onnx_file(task: Task) -> str:
    """The network as an ONNX file, by densezoo's writer: the same for every runtime.

    Raises:
        EvaluationError: ONNX can't express it.
    """
    arch = task.network
    system = family_of(arch).systems.get("onnx")
    if system is None or system.write is None or system.cannot_store(arch):
        raise EvaluationError("densezoo's ONNX writer can't express this network")
    path = task.folder() / f"network.{os.getpid()}.onnx"
    system.write(path, arch, read_checkpoint(task.weights).tensors, {})
    return str(path)


def _start_onnxruntime(task: Task) -> Running:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = task.threads
    session = onnxruntime.InferenceSession(_onnx_file(task), options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return Session(lambda images: session.run(None, {name: images})[0], task)


def _start_openvino(hint: str, task: Task) -> Running:
    import openvino

    model = openvino.Core().read_model(_onnx_file(task))
    config = {"INFERENCE_NUM_THREADS": task.threads, "PERFORMANCE_HINT": hint, "INFERENCE_PRECISION_HINT": "f32"}
    compiled = openvino.Core().compile_model(model, "CPU", config)
    own = threading.local()

    def infer(images: Floats) -> Floats:
        if not hasattr(own, "request"):  # one a thread: with the hint for throughput every stream computes by itself
            own.request = compiled.create_infer_request()
        logits: Floats = own.request.infer(images)[0].copy()
        return logits

    return Session(infer, task, concurrent=hint == "THROUGHPUT")


def load(network: nn.Module, task: Task) -> nn.Module:
    """A network with canonical names, in eval mode with the task's weights.

    Args:
        network: of any builder.
        task: has the weights.
    """
    network.load_state_dict(read_checkpoint(task.weights).tensors)
    return network.eval()


@dataclass(frozen=True)
class Program:
    """Another package's way to run a network.

    Args:
        package: that it needs, as pip names it.
        start: task -> the program with its network loaded.
        precisions: that it computes in.
        devices: that it runs on.
        held: whether the environment of an instruction set holds it to that set.
        note: how it is run.
    """

    package: str
    start: Callable[[Task], Running]
    precisions: tuple[str, ...] = ("float32", *AUTOCAST)
    devices: tuple[str, ...] = ("cpu", "cuda")
    held: bool = True
    note: str | None = field(default=None)


_FLOATS = "its time begins at normalised floats"
_NCHW, _NHWC = torch.contiguous_format, torch.channels_last
#: {name: program}; the first word is what ``--against`` takes.
PROGRAMS: Mapping[str, Program] = {
    "timm": Program("timm", partial(_start_torch, "timm", _NCHW), note=_FLOATS),
    "timm channels-last": Program("timm", partial(_start_torch, "timm", _NHWC), note=_FLOATS),
    "torchvision": Program("torchvision", partial(_start_torch, "torchvision", _NCHW), note=_FLOATS),
    "torchvision channels-last": Program("torchvision", partial(_start_torch, "torchvision", _NHWC), note=_FLOATS),
    "mmpretrain": Program("mmpretrain", partial(_start_mmpretrain, _NCHW), note=_FLOATS),
    "openvino": Program(
        "openvino", partial(_start_openvino, "THROUGHPUT"), ("float32",), ("cpu",),
        note=f"PERFORMANCE_HINT=THROUGHPUT, a request a thread, of the ONNX file; {_FLOATS}",
    ),
    "onnxruntime": Program(
        "onnxruntime", _start_onnxruntime, ("float32",), ("cpu",), held=False,
        note=f"its kernels choose the instruction set themselves; {_FLOATS}",
    ),
}  # fmt: skip


def start(task: Task) -> Running:
    """Load the network of a task.

    Args:
        task: the program and its network.

    Raises:
        DensezooError, ImportError: the program isn't installed, or can't run the network.
    """
    if not task.program.startswith(OWN):
        return PROGRAMS[task.program].start(task)
    network = load(family_of(task.network).network(task.network, draw_weights=False), task)
    name = task.program.removeprefix(OWN)
    backend = create_backend(name, network, task.network, task.preprocessing, task.device, task.precision)
    return OwnBackend(backend, backend.concurrent, task.device)
