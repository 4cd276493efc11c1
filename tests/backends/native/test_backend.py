"""Whole networks against PyTorch's own operators."""

from __future__ import annotations

import dataclasses
import threading
from typing import Any, Literal

import pytest
import torch
from examples import randomise_statistics
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.backends.native.backend import GROUP, NativeBackend
from densezoo.data.preprocess import normalise
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture
from densezoo.families.densenet.layers import layers
from densezoo.families.densenet.network import DenseNet
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.protocols import get_protocol

SMALL = DenseNetArchitecture(5, (2, 1, 3), 9, num_classes=7)
PROTOCOL = get_protocol("torchvision")
#: Everything but the stem that changes what a network computes.
VARIANTS: dict[str, dict[str, Any]] = {
    "as torchvision's": {},
    "plain layers": {"bn_size": None},
    "one block": {"block_config": (1,)},
    "another reduction": {"reduction": 0.7, "bn_eps": 1e-3},
    "blur in the stem": {"aa_layer": "blurpool"},
    "blur everywhere": {"aa_layer": "blurpool", "aa_stem_only": False},
    "same padding": {"pool_padding": "same", "ceil_mode": True, "transition_pool": "max"},
    "same padding of the first convolution": {"stem_padding": "same", "pool_padding": "same"},
    "ceil mode": {"ceil_mode": True},
    "ceil mode but in the stem": {"ceil_mode": True, "stem_ceil_mode": False},
    "max pools": {"transition_pool": "max"},
    "wide": {"growth_rate": 33, "block_config": (2, 2), "num_init_features": 70},
}


def difference(arch: DenseNetArchitecture, images: int, height: int, width: int, bits: int | None = None) -> float:
    """How far the engine's logits are from the network's in float64, relative to the largest one."""
    network = randomise_statistics(DenseNet(arch))
    generator = torch.Generator().manual_seed(height)
    pixels = torch.randint(0, 256, (images, 3, height, width), dtype=torch.uint8, generator=generator)
    found = NativeBackend(network, arch, PROTOCOL, "cpu", bits=bits)(pixels)
    with torch.inference_mode():
        expected = network.double()(normalise(pixels, PROTOCOL).double())
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_kind_of_network(stem: str, variant: str, bits: int) -> None:
    changes = VARIANTS[variant]
    if changes.get("aa_layer") and changes.get("aa_stem_only", True) and stem.startswith("cifar"):
        pytest.skip("a stem without pooling has nothing to blur")
    arch = dataclasses.replace(SMALL, stem=stem, **changes)  # type: ignore[arg-type]
    for images, height, width in ((1, 32, 32), (3, 45, 51), (2, 65, 38)):
        assert difference(arch, images, height, width, bits) < 5e-6


@pytest.mark.parametrize("transition_pool", ["avg", "max"])
def test_a_number_that_is_none_stays_none(transition_pool: Literal["avg", "max"], bits: int) -> None:
    arch = dataclasses.replace(SMALL, transition_pool=transition_pool)
    pixels = torch.randint(0, 256, (1, 3, 64, 64), dtype=torch.uint8)
    for name in [f"{layer.name}.weight" for layer in layers(arch)]:
        network = randomise_statistics(DenseNet(arch))
        network.get_parameter(name).data.view(-1)[0] = torch.nan
        assert NativeBackend(network, arch, PROTOCOL, "cpu", bits=bits)(pixels).isnan().any(), name


@pytest.mark.parametrize("size", [(64, 64), (71, 64)])
def test_a_last_pool_of_a_fixed_side(size: tuple[int, int], bits: int) -> None:
    assert difference(dataclasses.replace(SMALL, stem="cifar_pool", head_pool=8), 2, *size, bits) < 5e-6


def test_a_last_pool_that_leaves_more_than_a_pixel() -> None:
    """As with eager, whose classifier refuses it; the engine's would take the first pixel alone."""
    with pytest.raises(BackendError, match="images of 128 x 71 leave 2 x 1 pixels at flatten"):
        difference(dataclasses.replace(SMALL, stem="cifar_pool", head_pool=8), 2, 71, 128)


@given(
    arch=st.builds(
        DenseNetArchitecture,
        growth_rate=st.integers(1, 40),
        block_config=st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple),
        num_init_features=st.integers(1, 70),
        bn_size=st.one_of(st.none(), st.integers(1, 5)),
        reduction=st.floats(0.3, 1.0),
        stem=st.sampled_from(list(STEMS)),
        transition_pool=st.sampled_from(["avg", "max"]),
        stem_padding=st.sampled_from(["torch", "same"]),
        ceil_mode=st.booleans(),
        num_classes=st.integers(1, 40),
    ),
    size=st.tuples(st.integers(32, 70), st.integers(32, 70)),
    images=st.integers(1, 4),
)
@settings(max_examples=25, deadline=None)
def test_any_network(arch: DenseNetArchitecture, size: tuple[int, int], images: int) -> None:
    if int(arch.num_init_features * arch.reduction) > 0:
        assert difference(arch, images, *size) < 5e-6


@pytest.fixture(scope="module")
def backend() -> NativeBackend:
    return NativeBackend(randomise_statistics(DenseNet(SMALL)), SMALL, PROTOCOL, "cpu")


def test_images_don_t_depend_on_those_beside_them(backend: NativeBackend) -> None:
    pixels = torch.randint(0, 256, (2 * GROUP + 3, 3, 40, 33), dtype=torch.uint8)
    logits = backend(pixels)
    assert logits.shape == (len(pixels), 7)
    alone = torch.cat([backend(pixels[i : i + 1]) for i in range(len(pixels))])
    assert float((logits - alone).abs().max() / logits.abs().max()) < 1e-6
    assert torch.equal(backend(pixels), logits)
    assert backend(pixels[:0]).shape == (0, 7)


def test_threads_may_call_it_at_once(backend: NativeBackend) -> None:
    batches = [torch.randint(0, 256, (2, 3, 40 + i, 40), dtype=torch.uint8) for i in range(6)]
    expected = [backend(pixels) for pixels in batches]
    found: dict[int, torch.Tensor] = {}

    def work(index: int) -> None:
        for _ in range(20):
            found[index] = backend(batches[index])

    threads = [threading.Thread(target=work, args=(index,)) for index in range(len(batches))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(found[index], expected[index]) for index in range(len(batches)))


def test_large_images_take_memory_for_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    network = randomise_statistics(DenseNet(SMALL))
    pixels = torch.randint(0, 256, (GROUP, 3, 160, 150), dtype=torch.uint8)
    together, alone = (NativeBackend(network, SMALL, PROTOCOL, "cpu") for _ in range(2))
    logits = together(pixels)
    monkeypatch.setattr("densezoo.backends.native.backend.PIXELS", 2 * 160 * 150 - 1)
    assert torch.allclose(alone(pixels), logits, rtol=0, atol=1e-5)
    (sized,), (smaller,) = together._programs.values(), alone._programs.values()
    assert smaller.floats < sized.floats / 2


def test_memory_that_can_t_be_had(monkeypatch: pytest.MonkeyPatch, backend: NativeBackend) -> None:
    def refused(floats: int) -> None:
        raise MemoryError

    monkeypatch.setattr("densezoo.backends.native.backend.aligned", refused)
    monkeypatch.setattr("densezoo.backends.native.backend._thread", threading.local())
    with pytest.raises(BackendError, match=r"images of this size need \d+\.\d GiB a thread"):
        backend(torch.zeros((1, 3, 400, 400), dtype=torch.uint8))


def test_programs_of_many_sizes_are_not_all_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densezoo.backends.native.backend.SIZES", 2)
    backend = NativeBackend(randomise_statistics(DenseNet(SMALL)), SMALL, PROTOCOL, "cpu")
    pixels = torch.randint(0, 256, (1, 3, 44, 33), dtype=torch.uint8)
    first = backend(pixels)
    for height in (40, 41, 42):
        backend(pixels[:, :, :height])
        assert len(backend._programs) <= 2
    assert torch.equal(backend(pixels), first)


def test_pixels_that_are_not_contiguous(backend: NativeBackend) -> None:
    pixels = torch.randint(0, 256, (2, 40, 33, 3), dtype=torch.uint8).permute(0, 3, 1, 2)
    assert torch.equal(backend(pixels), backend(pixels.contiguous()))


def test_logits_are_float32_whatever_torch_s_default_is(backend: NativeBackend) -> None:
    pixels = torch.randint(0, 256, (2, 3, 40, 33), dtype=torch.uint8)
    expected = backend(pixels)
    torch.set_default_dtype(torch.float64)
    try:
        assert torch.equal(backend(pixels), expected)
    finally:
        torch.set_default_dtype(torch.float32)


def test_float_pixels_are_normalised_as_the_protocol_does() -> None:
    protocol = get_protocol("torch7")
    network = randomise_statistics(DenseNet(SMALL))
    pixels = torch.rand(2, 3, 40, 33)
    with torch.inference_mode():
        expected = network(normalise(pixels, protocol))
    found = NativeBackend(network, SMALL, protocol, "cpu")(pixels)
    assert float((found - expected).abs().max() / expected.abs().max()) < 5e-6


def test_the_time_of_each_step_is_told(backend: NativeBackend) -> None:
    steps = backend.seconds(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    assert [kind for kind, _, _ in steps[:3]] == ["LOAD", "PATCHES", "POOL"]
    assert steps[-1][:2] == ("PRODUCT", "classifier")
    assert all(seconds >= 0 for _, _, seconds in steps)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (torch.zeros(1, 3, 40, 40, dtype=torch.float64), r"expected uint8 or float32 images \(N, 3, H, W\)"),
        (torch.zeros(1, 1, 40, 40, dtype=torch.uint8), r"found torch.uint8 \(1, 1, 40, 40\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "images of 8 x 8 leave nothing at "),
    ],
)
def test_images_that_it_refuses(backend: NativeBackend, pixels: torch.Tensor, message: str) -> None:
    with pytest.raises(BackendError, match=message):
        backend(pixels)


def test_a_network_that_it_can_t_express() -> None:
    arch = RDNetArchitecture()
    network = torch.nn.Identity()
    with pytest.raises(BackendError, match="no kernel for the step"):
        NativeBackend(network, arch, PROTOCOL, "cpu")


def test_a_device_that_it_hasn_t() -> None:
    with pytest.raises(BackendError, match="computes on the CPU, not on cuda"):
        NativeBackend(torch.nn.Identity(), SMALL, PROTOCOL, "cuda")
