"""Whole modules that were pickled: as torch writes them today, and as torch before 0.4 did under Python 2."""

from __future__ import annotations

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import DenseNet as TorchvisionDenseNet

import densezoo
from densezoo.errors import FormatError
from densezoo.formats.torch.files import LEGACY_MAGIC

SMALL = {"growth_rate": 4, "block_config": (2, 2), "num_init_features": 8, "num_classes": 5}


class BottleneckBlock(nn.Module):
    """andreasveit/densenet-pytorch densenet.py in small, as ODIN and Mahalanobis pickled it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn1, self.relu = nn.BatchNorm2d(before), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(before, 4 * after, kernel_size=1, bias=False)
        self.bn2 = nn.BatchNorm2d(4 * after)
        self.conv2 = nn.Conv2d(4 * after, after, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv2(self.relu(self.bn2(self.conv1(self.relu(self.bn1(x))))))], 1)


class DenseBlock(nn.Module):
    def __init__(self, depth: int, before: int, growth: int) -> None:
        super().__init__()
        self.layer = nn.Sequential(*(BottleneckBlock(before + i * growth, growth) for i in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x)  # type: ignore[no-any-return]


class TransitionBlock(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.bn1, self.relu = nn.BatchNorm2d(before), nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(before, after, kernel_size=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(self.conv1(self.relu(self.bn1(x))), 2)


class DenseNet3(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, padding=1, bias=False)
        self.block1, self.trans1 = DenseBlock(2, 8, 4), TransitionBlock(16, 8)
        self.block2, self.trans2 = DenseBlock(2, 8, 4), TransitionBlock(16, 8)
        self.block3 = DenseBlock(1, 8, 4)
        self.bn1, self.relu, self.fc = nn.BatchNorm2d(12), nn.ReLU(inplace=True), nn.Linear(12, 10)
        self.in_planes = 12

    def forward(self, x: Tensor) -> Tensor:
        x = self.trans2(self.block2(self.trans1(self.block1(self.conv1(x)))))
        x = functional.avg_pool2d(self.relu(self.bn1(self.block3(x))), 8)
        return self.fc(x.view(-1, self.in_planes))  # type: ignore[no-any-return]


class Named:
    """A class or function of another Python's, by its name."""

    def __init__(self, name: str) -> None:
        self.name = name


class OldPickler(pickle._Pickler):
    """Writes protocol 2 as Python 2 does for torch before 0.4: byte strings, parameters made of their tensors."""

    def __init__(self, file: Any) -> None:
        super().__init__(file, 2)
        self.storages: dict[str, Tensor] = {}

    def save_bytes_as_str(self, text: str) -> None:
        data = text.encode("latin1")
        self.write(b"U" + bytes([len(data)]) + data)  # type: ignore[attr-defined]

    def save_named(self, named: Named) -> None:
        module, _, name = named.name.rpartition(".")
        self.write(b"c" + f"{module}\n{name}\n".encode())  # type: ignore[attr-defined]

    def call(self, function: str, *arguments: object, state: object = None, new: bool = False) -> None:
        self.save(Named(function))
        self.save(arguments)
        self.write(b"\x81" if new else b"R")  # type: ignore[attr-defined]
        if state is not None:
            self.save(state)
            self.write(b"b")  # type: ignore[attr-defined]

    def save_tensor(self, tensor: Tensor) -> None:
        key = str(94_000_000 + len(self.storages))
        self.storages[key] = tensor.detach().contiguous().reshape(-1)
        self.call("torch._utils._rebuild_tensor", Stored(key, tensor.numel()), 0, tuple(tensor.shape), tensor.stride())

    def save_parameter(self, parameter: nn.Parameter) -> None:
        self.call("torch.nn.parameter.Parameter", parameter.data, state=(True, False, OrderedDict()))

    def save_ordered(self, ordered: OrderedDict[str, object]) -> None:
        self.call("collections.OrderedDict", [list(pair) for pair in ordered.items()])

    def save_stored(self, stored: Stored) -> None:
        self.save(("storage", Named("torch.cuda.FloatStorage"), stored.key, "0", stored.numel, None))
        self.write(b"Q")  # type: ignore[attr-defined]

    def save_module(self, module: nn.Module) -> None:
        kept = {"training", "eps", "momentum", "affine", "kernel_size", "stride", "padding", "dilation", "groups"}
        state = {name: value for name, value in vars(module).items() if name in kept or name == "in_planes"}
        held = OrderedDict((name, value) for name, value in module._buffers.items() if name != "num_batches_tracked")
        ordered = {"_parameters": OrderedDict(module._parameters), "_modules": OrderedDict(module._modules)}
        ordered |= {"_buffers": held, "_forward_hooks": OrderedDict()}
        name = f"{type(module).__module__}.{type(module).__name__}"
        self.save(Named(name))
        self.write(b")\x81")  # type: ignore[attr-defined]
        self.save({**state, **ordered, "_backend": Backend()})
        self.write(b"b")  # type: ignore[attr-defined]

    def save_backend(self, backend: Backend) -> None:
        self.call("torch.nn.backends.thnn._get_thnn_function_backend")

    def save(self, obj: object, save_persistent_id: bool = True) -> Any:
        writers: dict[type, Callable[[Any], None]] = {
            str: self.save_bytes_as_str, Named: self.save_named, Stored: self.save_stored, Backend: self.save_backend,
            nn.Parameter: self.save_parameter, OrderedDict: self.save_ordered, Tensor: self.save_tensor,
            nn.Module: self.save_module,
        }  # fmt: skip
        for kind, write in writers.items():
            if isinstance(obj, kind):
                return write(obj)
        return super().save(obj, save_persistent_id)  # type: ignore[misc]


class Stored:
    def __init__(self, key: str, numel: int) -> None:
        self.key, self.numel = key, numel


class Backend:
    """torch.nn.backends.thnn.backend."""


def write_old(path: Path, module: nn.Module) -> Path:
    """A file of torch.save before 0.4, under Python 2."""
    content, keys = io.BytesIO(), io.BytesIO()
    pickler = OldPickler(content)
    pickler.dump(module)
    OldPickler(keys).dump(list(pickler.storages))
    system = pickle.dumps({b"little_endian": True}, 2)
    parts = [LEGACY_MAGIC, pickle.dumps(1001, 2), system, content.getvalue(), keys.getvalue()]
    for storage in pickler.storages.values():
        parts += [struct.pack("<q", storage.numel()), storage.numpy().tobytes()]
    path.write_bytes(b"".join(parts))
    return path


def assert_same(path: Path, module: nn.Module, side: int) -> Any:
    ours, report = densezoo.load_checkpoint(path)
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(ours.eval()(images), module.eval()(images), atol=1e-6)
    return report


@pytest.mark.parametrize("parallel", [False, True])
def test_a_module_of_python_2(tmp_path: Path, parallel: bool) -> None:
    network = randomise_statistics(DenseNet3())
    saved = nn.DataParallel(network) if parallel else network
    report = assert_same(write_old(tmp_path / "densenet10.pth", saved), network, 32)
    assert report.source == "andreasveit"
    assert report.architecture.block_config == (2, 2, 1)
    assert any("a pickled" in hint and "whose forward it lacks" in hint for hint in report.hints)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_module_of_today(tmp_path: Path, zipped: bool) -> None:
    network = randomise_statistics(TorchvisionDenseNet(**SMALL))
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eps = 1e-3
    torch.save(network, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    report = assert_same(tmp_path / "m.pth", network, 64)
    assert report.architecture.bn_eps == 1e-3


def last_norm(network: nn.Module) -> None:
    network.features.norm5.eps = 0.1  # type: ignore[union-attr]


OTHERS: dict[str, tuple[Callable[[Any], object], str]] = {
    "another activation": (
        lambda net: setattr(net.features, "relu0", nn.LeakyReLU()),
        r"at features.relu0: .* found a torch.nn.modules.activation.LeakyReLU; ask",
    ),
    "a dilated convolution": (
        lambda net: setattr(net.features.transition1.conv, "dilation", (2, 2)),
        r"at features.transition1.conv: .* with dilation \(2, 2\)",
    ),
    "a stem of stride 1": (lambda net: setattr(net.features.conv0, "stride", (1, 1)), r"conv0: .*stride \(1, 1\)"),
    "no padding": (lambda net: setattr(net.features.conv0, "padding", (0, 0)), r"conv0: .*with padding \(0, 0\)"),
    "a pool that rounds up": (lambda net: setattr(net.features.pool0, "ceil_mode", True), "pool0: .*ceil_mode True"),
    "norms of two epsilons": (last_norm, "norms of several epsilons, 1e-05, 0.1"),
    "a norm without statistics": (lambda net: setattr(net.features.norm0, "track_running_stats", False), "track_runn"),
    "another layer": (lambda net: setattr(net, "more", nn.Softmax(1)), "found a torch.nn.modules.activation.Softmax"),
    "a weight of the class's own": (
        lambda net: setattr(net, "scale", nn.Parameter(torch.ones(1))),
        "its root: .* found a torchvision.models.densenet.DenseNet with the tensors scale",
    ),
    "a hook": (lambda net: net.register_forward_hook(print), "with forward_hooks, which are code"),
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_module_of_another_function_is_refused(tmp_path: Path, change: str) -> None:
    network = TorchvisionDenseNet(**SMALL)
    falsify, message = OTHERS[change]
    falsify(network)
    torch.save(network, tmp_path / "m.pth")
    with pytest.raises(FormatError, match=message):
        densezoo.load_checkpoint(tmp_path / "m.pth")
