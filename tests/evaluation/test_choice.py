"""`auto` takes native where it is exact, else eager, and says so."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from examples import example_facts, randomise_statistics
from torch import Tensor, nn

from densezoo import api
from densezoo.backends import base
from densezoo.backends.base import BACKENDS, BackendEntry
from densezoo.backends.eager import EagerBackend
from densezoo.data.images import ImageSet
from densezoo.data.views import get_augmentation
from densezoo.errors import BackendError, ConfigError, EvaluationError, ImageError, MissingDependencyError
from densezoo.evaluation import distributed
from densezoo.evaluation.choice import CHECKED, create_backends, first_pixels
from densezoo.evaluation.options import RunOptions
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

DIGITS, PHOTOGRAPHS = get_protocol("digits"), get_protocol("torchvision")
ARCHITECTURE = DenseNetArchitecture(4, (2, 2), 8, stem="cifar", in_chans=1, num_classes=10)
FACTS = example_facts(backend="auto", device="cpu")
Wrong = Callable[[Tensor, Tensor], Tensor]  # (pixels, eager's logits) -> native's


@pytest.fixture
def network() -> nn.Module:
    return randomise_statistics(DenseNet(ARCHITECTURE)).eval()


@pytest.fixture
def native(monkeypatch: pytest.MonkeyPatch) -> Callable[[Wrong], None]:
    """Puts a native backend into the table whose logits are a function of the pixels and of eager's logits."""

    def put(wrong: Wrong) -> None:
        class Native(EagerBackend):
            name = "native"

            def __call__(self, pixels: Tensor) -> Tensor:
                return wrong(pixels, super().__call__(pixels))

        put_class(monkeypatch, Native)

    return put


def put_class(monkeypatch: pytest.MonkeyPatch, backend: object) -> None:
    module = ModuleType("toy")
    module.Native = backend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setitem(BACKENDS, "native", BackendEntry("toy", "Native", {"float32": 1e-5}))


def shown(number: int = 3) -> Tensor:
    return torch.randint(0, 256, (number, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def chosen(network: nn.Module, pixels: Tensor | None) -> tuple[str, float | None]:
    (backend,), facts = create_backends(network, ARCHITECTURE, [DIGITS], FACTS, [pixels])
    assert backend.name == facts.backend
    return facts.backend, facts.backend_difference


def test_all_processes_take_the_same_backend(
    network: nn.Module, native: Callable[[Wrong], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    native(lambda _, logits: logits)
    for others, expected in ((("too far in rank 1", 0.0), ("eager", None)), (("", 4e-6), ("native", 4e-6))):
        monkeypatch.setattr(distributed, "gather", lambda own, others=others: [own, others])
        assert chosen(network, shown()) == expected


def test_of_several_protocols_the_largest_difference_is_told(
    network: nn.Module, native: Callable[[Wrong], None]
) -> None:
    native(lambda pixels, logits: logits * (1 + 1e-6 * len(pixels)))
    for batches in ([shown(1), shown(5)], [shown(5), shown(1)]):
        difference = create_backends(network, ARCHITECTURE, [DIGITS] * 2, FACTS, batches)[1].backend_difference
        assert difference == pytest.approx(5e-6, rel=0.2)


def test_native_where_it_is_exact(
    network: nn.Module, native: Callable[[Wrong], None], caplog: pytest.LogCaptureFixture
) -> None:
    native(lambda _, logits: logits * (1 + 4e-6))
    name, difference = chosen(network, shown())
    assert name == "native"
    assert difference == pytest.approx(4e-6, rel=0.1)
    (record,) = caplog.records
    assert (
        record.getMessage() == f"backend: native, whose logits differ from eager's by {difference:.1e} of the largest"
    )


def of_the_first_alone(_: Tensor, logits: Tensor) -> Tensor:
    return torch.cat([logits[:1], logits[:1].expand_as(logits[1:])])


WRONG: dict[str, Wrong] = {
    "too far": lambda _, logits: logits * (1 + 2e-5),
    "in one logit of each image": lambda _, logits: logits.clone().fill_diagonal_(9),
    "all images as the first": of_the_first_alone,
    "alone": lambda pixels, logits: logits * (1.001 if len(pixels) == 1 else 1),
    "where pixels differ": lambda pixels, logits: logits * (1.001 if pixels.min() < pixels.max() else 1),
    "no number": lambda _, logits: logits * float("nan"),
    "infinite": lambda _, logits: logits / 0,
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("images", ["noise", "one", "black"])
def test_eager_where_native_is_not(
    network: nn.Module,
    native: Callable[[Wrong], None],
    wrong: str,
    images: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Also if the first images are one, or black, and so can't show it."""
    native(WRONG[wrong])
    pixels = {"noise": shown(), "one": shown(1), "black": torch.zeros_like(shown())}[images]
    assert chosen(network, pixels) == ("eager", None)
    (record,) = caplog.records
    assert record.getMessage().startswith("backend: eager, because backend native in float32 on cpu: its logits differ")


@pytest.mark.parametrize(
    "error",
    [
        BackendError("no such step"),
        MissingDependencyError("backend native", "its kernels"),
        RuntimeError("oh"),
        MemoryError("no room"),
    ],
)
def test_eager_where_there_is_no_native(
    network: nn.Module, monkeypatch: pytest.MonkeyPatch, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise error

    put_class(monkeypatch, fail)
    assert chosen(network, shown()) == ("eager", None)
    assert caplog.messages == [f"backend: eager, because {error}"]
    with pytest.raises(type(error), match=str(error)[:10]):
        create_backends(network, ARCHITECTURE, [DIGITS], dataclasses.replace(FACTS, backend="native"), [shown()])


def test_eager_where_there_is_no_image_to_compare_on(network: nn.Module, native: Callable[[Wrong], None]) -> None:
    native(lambda _, logits: logits)
    assert chosen(network, None) == ("eager", None)
    assert chosen(network, shown())[0] == "native"


def test_a_network_that_can_t_take_the_size_is_told_so() -> None:
    arch = dataclasses.replace(ARCHITECTURE, head_pool=7)
    with pytest.raises(
        ConfigError, match="can't take an image of 8 x 8 px and 1 channels, as protocol digits gives it"
    ):
        create_backends(DenseNet(arch).eval(), arch, [DIGITS], FACTS, [shown()])


def test_the_name_of_the_file_is_eager_s_and_the_file_says_native(
    native: Callable[[Wrong], None], tmp_path: Path
) -> None:
    native(lambda _, logits: logits)
    (result,) = api.evaluate_protocols(*api.DEMO, workers=0, device="cpu", batch_size=899, out=tmp_path)
    assert (result.backend, result.correct1) == ("native", 885)
    assert result.backend_difference is not None
    (path,) = tmp_path.glob("*/*")
    assert path.name == "densenet_bc_22_8.densezoo_digits@digits.json"


def test_what_one_backend_began_another_does_not_end(
    native: Callable[[Wrong], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    calls = []

    def fails_at_last(pixels: Tensor, logits: Tensor) -> Tensor:
        calls.append(len(pixels))
        if sum(calls) > 500:
            raise RuntimeError("out of memory")
        return logits

    native(fails_at_last)
    measure = partial(api.evaluate_protocols, *api.DEMO, workers=0, device="cpu", batch_size=100, out=tmp_path)
    with pytest.raises(RuntimeError, match="out of memory"):
        measure()
    monkeypatch.delitem(BACKENDS, "native")
    monkeypatch.setitem(BACKENDS, "native", BackendEntry("no_such_module", "Native", {"float32": 1e-5}))
    with pytest.raises(EvaluationError, match="backend"):
        measure(resume=True)
    native(lambda _, logits: logits)
    (result,) = measure(resume=True)
    assert (result.backend, result.correct1) == ("native", 885)


class Photographs(ImageSet):
    """Images of noise; the third can't be read."""

    def read(self, index: int) -> np.ndarray:
        if index == 2:
            raise ImageError("broken")
        size = 300 if index != 3 else 280
        return np.random.default_rng(index).integers(0, 256, (300, size, 3), np.uint8)


@pytest.mark.parametrize("number", [1, 4, 20])
def test_the_first_pixels_are_those_of_the_first_readable_images(number: int) -> None:
    images = Photographs("", [str(i) for i in range(number)], [0] * number)
    (pixels,) = first_pixels(images, [PHOTOGRAPHS], None)
    assert pixels is not None
    assert pixels.shape == (min(number - (number > 2), CHECKED), 3, 224, 224)
    assert len({image.numpy().tobytes() for image in pixels}) == len(pixels)
    (views,) = first_pixels(images, [PHOTOGRAPHS], get_augmentation("flip"))
    assert views is not None
    assert torch.equal(views[::2], pixels)
    assert torch.equal(views[1::2], pixels.flip(3))


def test_the_first_pixels_are_of_one_size() -> None:
    class OfTwoSizes(Photographs):
        def read(self, index: int) -> np.ndarray:
            return np.full((4 + index % 2, 4, 3), index, np.uint8)

    as_they_are = dataclasses.replace(get_protocol("cifar10"), image_size=None)
    (pixels,) = first_pixels(OfTwoSizes("", [*"abcde"], [0] * 5), [as_they_are], None)
    assert pixels is not None
    assert pixels[:, 0, 0, 0].tolist() == [0, 2, 4]


def test_without_a_readable_image_it_is_a_black_one() -> None:
    class Broken(Photographs):
        def read(self, index: int) -> np.ndarray:
            return super().read(2)

    black, none = first_pixels(Broken("", ["a"], [0]), [PHOTOGRAPHS, DIGITS], None)
    assert black is not None
    assert black.shape == (1, 3, 224, 224)
    assert none is None


def test_the_options_ask_for_auto() -> None:
    assert RunOptions().backend == base.AUTO
