"""When graphs are recorded and copies started; the recording itself needs a GPU, and so does the last test."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn

from densezoo.backends.base import create_backend, difference_from_eager
from densezoo.backends.cuda import MOST_GRAPHS, Function, GraphBackend, HostCopies, Replays, cudnn_benchmark
from densezoo.errors import BackendError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.protocols import get_protocol

SMALL = DenseNetArchitecture(8, (1, 1), 16, num_classes=5)


class Recorder:
    """Takes note of the shapes for which functions were recorded, and of those that were replayed."""

    def __init__(self) -> None:
        self.recorded: list[tuple[int, ...]] = []
        self.replayed: list[int] = []

    def __call__(self, function: Function, example: Tensor) -> Function:
        self.recorded.append(tuple(example.shape))

        def replay(batch: Tensor) -> Tensor:
            assert (batch.shape, batch.dtype) == (example.shape, example.dtype)
            self.replayed.append(len(batch))
            return function(batch)

        return replay


def test_the_first_shape_is_recorded_at_once_and_another_when_it_comes_again() -> None:
    record = Recorder()
    replays = Replays(lambda batch: batch.flatten(1).sum(1), record)
    for images in (8, 8, 3, 8, 2, 3, 3):
        batch = torch.rand(images, 3, 4, 4)
        assert torch.equal(replays(batch), batch.flatten(1).sum(1))
    assert record.recorded == [(8, 3, 4, 4), (3, 3, 4, 4)]
    assert record.replayed == [8, 8, 8, 3, 3], "3 when it came again; 2 never"


def test_recordings_are_so_many_and_no_more() -> None:
    record = Recorder()
    replays = Replays(lambda batch: batch * 2, record)
    for images in [*range(1, MOST_GRAPHS + 4)] * 2:
        batch = torch.rand(images, 2)
        assert torch.equal(replays(batch), batch * 2)
    assert len(record.recorded) == MOST_GRAPHS


def test_floats_and_bytes_of_one_shape_are_two_recordings() -> None:
    record = Recorder()
    replays = Replays(lambda batch: batch + 1, record)
    for dtype in (torch.uint8, torch.float32, torch.float32):
        assert replays(torch.zeros(2, 2, dtype=dtype)).dtype == dtype
    assert len(record.recorded) == 2


def test_cudnn_s_setting_is_as_before() -> None:
    before = torch.backends.cudnn.benchmark
    with cudnn_benchmark(not before):
        assert torch.backends.cudnn.benchmark == (not before)
    assert torch.backends.cudnn.benchmark == before


def test_a_cpu_has_no_graphs() -> None:
    with pytest.raises(BackendError, match="backend cudagraphs computes on NVIDIA's GPUs, not on cpu; give --device"):
        create_backend("cudagraphs", build_model(SMALL), SMALL, get_protocol("torchvision"), "cpu", "float32")


class OnTheHost(GraphBackend):
    """What the backend does besides recording and copying, where there is no GPU."""

    def check_device(self) -> None:
        pass


@pytest.mark.parametrize(("precision", "largest"), [("float32", 1e-6), ("bf16", 0.03)])
def test_what_is_begun_is_what_is_computed(precision: str, largest: float) -> None:
    torch.manual_seed(0)
    network = randomise_statistics(build_model(SMALL))
    nn.init.normal_(network.get_parameter("classifier.weight"))
    protocol, pixels = get_protocol("torchvision"), torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    backend = OnTheHost(network, SMALL, protocol, "cpu", precision)
    eager = create_backend("eager", network, SMALL, protocol, "cpu", "float32")
    begun: list[Callable[[], Tensor]] = [backend.begin(pixels[:2]), backend.begin(pixels[2:])]
    logits, expected = torch.cat([wait() for wait in begun]), eager(pixels)
    assert float((logits - expected).abs().max() / expected.abs().max()) <= largest
    assert torch.equal(torch.cat([backend(pixels[:2]), backend(pixels[2:])]), logits)
    assert not logits.requires_grad


def test_the_host_s_copies_are_none() -> None:
    pixels = torch.zeros(1)
    assert HostCopies().to_device(pixels) is pixels
    assert HostCopies().to_host(pixels)() is pixels


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("precision", ["float32", "bf16", "fp16"])
def test_on_a_gpu_the_logits_are_eager_s(precision: str) -> None:
    network, protocol = build_model(SMALL).eval(), get_protocol("torchvision")
    nn.init.normal_(network.get_parameter("classifier.weight"))
    eager = create_backend("eager", network, SMALL, protocol, "cuda", "float32")
    backend = create_backend("cudagraphs", network, SMALL, protocol, "cuda", precision)
    assert isinstance(backend, GraphBackend)
    pixels = torch.randint(0, 256, (40, 3, 64, 64), dtype=torch.uint8).pin_memory()
    for part in (pixels, pixels[:7], pixels[:7], pixels):  # recorded, computed, recorded, replayed
        difference_from_eager(backend, eager, part)
    begun = [backend.begin(pixels[i : i + 10]) for i in range(0, 40, 10)]
    expected = eager(pixels).cpu()
    logits = torch.cat([wait() for wait in begun])
    assert float((logits - expected).abs().max() / expected.abs().max()) < 0.1
