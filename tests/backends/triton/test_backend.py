"""What the backend refuses, where it says why; what it computes is tested with its network."""

from __future__ import annotations

import pytest
import torch

from densezoo.backends.base import create_backend
from densezoo.backends.triton.backend import TritonBackend
from densezoo.errors import BackendError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.protocols import get_protocol

SMALL = DenseNetArchitecture(8, (1, 1), 16, num_classes=5)


def test_a_cpu_is_refused() -> None:
    with pytest.raises(BackendError, match="backend triton computes on NVIDIA's GPUs, not on cpu; give --device cuda"):
        create_backend("triton", build_model(SMALL), SMALL, get_protocol("torchvision"), "cpu", "bf16")


def test_another_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is a GPU, which this test is not about."""
    monkeypatch.setattr(TritonBackend, "check_device", lambda _: None)
    arch = RDNetArchitecture((8, 8), (1, 1), 16, downsample=(1,), attention=(1,), num_classes=5)
    with pytest.raises(BackendError, match="no kernels for the blocks of RDNet; use --backend cudagraphs"):
        create_backend("triton", build_model(arch), arch, get_protocol("torchvision"), "cpu", "float32")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_on_a_gpu_the_logits_are_eager_s(precision: str) -> None:
    from densezoo.backends.base import difference_from_eager

    protocol, pixels = get_protocol("torchvision"), torch.randint(0, 256, (5, 3, 64, 64), dtype=torch.uint8)
    network = build_model(SMALL).eval()
    torch.nn.init.normal_(network.get_parameter("classifier.weight"))
    eager = create_backend("eager", network, SMALL, protocol, "cuda", "float32")
    backend = create_backend("triton", network, SMALL, protocol, "cuda", precision)
    for part in (pixels, pixels[:2], pixels[:2], pixels):  # recorded, computed, recorded, replayed
        difference_from_eager(backend, eager, part)
