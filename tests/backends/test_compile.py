"""The compiled network's logits are eager's, and what can't be compiled is one message."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn

from densezoo.backends.base import Backend, create_backend, difference_from_eager
from densezoo.backends.compile import CompileBackend, batch_sizes
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

ARCH = DenseNetArchitecture(4, (1, 1), 8, stem="cifar", num_classes=5)
PROTOCOL = get_protocol("cifar10")


@pytest.fixture(autouse=True)
def _no_compiled_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of what another test or run has left."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))


def network() -> DenseNet:
    torch.manual_seed(0)
    net = DenseNet(ARCH)
    nn.init.normal_(net.classifier.weight)
    randomise_statistics(net)
    return net


def pixels(images: int) -> Tensor:
    return torch.randint(0, 256, (images, 3, 32, 32), dtype=torch.uint8)


def backends(precision: str, device: str = "cpu") -> tuple[CompileBackend, Backend]:
    net = network()
    compiled = create_backend("compile", net, ARCH, PROTOCOL, device, precision)
    assert isinstance(compiled, CompileBackend)
    return compiled, create_backend("eager", net, ARCH, PROTOCOL, device, "float32")


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_logits_are_eager_s_and_one_size_is_compiled(precision: str, capsys: pytest.CaptureFixture[str]) -> None:
    compiled, eager = backends(precision)
    batch = pixels(70)
    difference = difference_from_eager(compiled, eager, batch[:8])
    assert (difference > 1e-5) == (precision == "bf16")
    assert "backend compile: compiled for batches of 64 x 3 x 32 x 32 in" in capsys.readouterr().err
    seconds = compiled.compile_seconds
    assert seconds > 0
    whole, part = compiled(batch), compiled(batch[60:])
    assert whole.shape == (70, 5)
    assert whole.dtype == torch.float32
    assert torch.equal(part, whole[60:])
    assert difference_from_eager(compiled, eager, batch) > 0
    assert compiled.compile_seconds == seconds
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("kind", "side", "expected"),
    [("cpu", 224, (1, 8)), ("cpu", 32, (1, 64)), ("cpu", 1000, (1, 2)), ("cuda", 224, (1, 64, 128, 256))],
)
def test_sizes_that_are_compiled(kind: str, side: int, expected: tuple[int, ...]) -> None:
    assert batch_sizes(kind, side, side) == expected


@pytest.mark.slow
def test_a_compiler_that_fails_is_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without Python's headers: a compiler is there, and what it is given it can't compile."""
    from torch._inductor import config

    monkeypatch.setattr(config.cpp, "cxx", (None, "false"))
    compiled, _ = backends("float32")
    with pytest.raises(BackendError, match=r"backend compile: torch [0-9.]+.* could not compile the network for cpu: "):
        compiled(pixels(6)[..., :24, :24])  # of a size that this process hasn't compiled


def test_without_a_compiler_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(
        BackendError, match="needs a C[+][+] compiler for a CPU, and there is no no-such-compiler: inst"
    ):
        backends("float32")


def test_a_cpu_has_no_fp16() -> None:
    with pytest.raises(
        BackendError, match="backend compile has no fp16 on cpu; it has float32, bf16 on cpu, float32, "
    ):
        backends("fp16")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_on_a_gpu_the_logits_are_eager_s(precision: str) -> None:
    compiled, eager = backends(precision, "cuda")
    for images in (64, 3, 64):
        difference_from_eager(compiled, eager, pixels(images))
