from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from densezoo.config import load_config
from densezoo.data.class_names import cifar_classes
from densezoo.data.preprocess import normalise
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.formats.safetensors import write_safetensors
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.protocols.own import as_own
from densezoo.training.distillation import Renormalisation, Teacher, load_teacher
from densezoo.types import Distillation, Experiment

SMALL = DenseNetArchitecture(4, (1, 1), 8, stem="cifar", num_classes=10)
PIXELS = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def student(protocol: str = "cifar10", dataset: str = "cifar10", arch: DenseNetArchitecture = SMALL) -> Experiment:
    return Experiment("student", "", arch, dataset, protocol)


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Path]:
    """Writes a fresh small network as training writes it, with these facts."""

    def write(arch: DenseNetArchitecture = SMALL, **facts: object) -> Path:
        torch.manual_seed(1)
        path = tmp_path / "teacher.safetensors"
        write_safetensors(path, build_model(arch).state_dict(), {"architecture": architecture_values(arch), **facts})
        return path

    return write


def teach(path: Path, seen: Experiment, **fields: float | str) -> Teacher:
    return load_teacher(Distillation(str(path), **fields), seen, "cpu")  # type: ignore[arg-type]


@pytest.mark.parametrize("protocol", ["cifar10", "svhn", "cifar-dice", "caffe"])
def test_it_sees_the_images_as_its_own_protocol_has_them(stored: Callable[..., Path], protocol: str) -> None:
    """Other means, other deviations, another range of values, another order of the channels (caffe's BGR)."""
    teacher = teach(stored(dataset="cifar10", protocol=protocol), student())
    ordered = PIXELS.flip(1) if get_protocol(protocol).channel_order == "BGR" else PIXELS
    directly = teacher.network(normalise(ordered, get_protocol(protocol)))
    shown = teacher.logits(normalise(PIXELS, get_protocol("cifar10")))
    assert torch.allclose(shown, directly, rtol=1e-4, atol=1e-4)
    unconverted = teacher.network(normalise(PIXELS, get_protocol("cifar10")))
    assert torch.equal(shown, unconverted) == (protocol == "cifar10")


def test_converting_there_and_back() -> None:
    caffe, torchvision = get_protocol("caffe"), get_protocol("torchvision")
    images = normalise(PIXELS, torchvision)
    there = Renormalisation(torchvision, caffe)(images)
    assert torch.allclose(there, normalise(PIXELS.flip(1), caffe), atol=1e-5)
    assert torch.allclose(Renormalisation(caffe, torchvision)(there), images, atol=1e-5)
    assert Renormalisation(torchvision, torchvision)(images) is images


def test_the_loss(stored: Callable[..., Path]) -> None:
    teacher = teach(stored(dataset="cifar10", protocol="cifar10"), student(), weight=0.3, temperature=4.0)
    own, imitated = torch.randn(2, 5, 10, generator=torch.Generator().manual_seed(0)).unbind()

    def softmax(logits: Tensor) -> Tensor:
        return (logits / 4).softmax(1)

    divergence = (softmax(imitated) * (softmax(imitated) / softmax(own)).log()).sum(1).mean()
    hard = functional.cross_entropy(own, torch.arange(5))
    assert torch.allclose(teacher.loss(own, imitated, hard), 0.7 * hard + 0.3 * 16 * divergence, atol=1e-6)
    assert torch.allclose(teacher.loss(imitated, imitated, hard), 0.7 * hard, atol=1e-6)


def test_the_student_alone_is_trained(stored: Callable[..., Path]) -> None:
    teacher = teach(stored(dataset="cifar10", protocol="cifar10"), student())
    assert not teacher.network.training
    assert not teacher.logits(normalise(PIXELS, get_protocol("cifar10"))).requires_grad
    assert not any(parameter.requires_grad for parameter in teacher.network.parameters())


def test_a_teacher_of_the_index() -> None:
    """The bundled network of digits: its own protocol, its own dataset."""
    digits = load_config(ROOT / "configs/digits/densenet_bc_22_8_digits.py")
    teacher = load_teacher(Distillation("densenet_bc_22_8.densezoo_digits"), digits, "cpu")
    assert not teacher.normalisation.is_needed
    assert teacher.logits(torch.zeros(1, 1, 8, 8)).shape == (1, 10)
    of_svhn = dataclasses.replace(digits, dataset="svhn")
    with pytest.raises(ConfigError, match="expected a network of svhn, found one of digits"):
        load_teacher(Distillation("densenet_bc_22_8.densezoo_digits"), of_svhn, "cpu")
    with pytest.raises(UnknownNameError, match="there is no model 'densenet_bc_22_9.densezoo_digits'; "):
        load_teacher(Distillation("densenet_bc_22_9.densezoo_digits"), digits, "cpu")


def test_a_file_that_says_nothing_of_its_images(stored: Callable[..., Path]) -> None:
    path = stored()
    with pytest.raises(ConfigError, match=r"nothing says how its images are normalised; name .* as train.distillation"):
        teach(path, student())
    assert teach(path, student("svhn"), protocol="cifar10").normalisation.is_needed


def test_a_protocol_that_the_recipe_names_comes_before_the_file_s(stored: Callable[..., Path]) -> None:
    path = stored(dataset="cifar10", protocol="svhn")
    assert teach(path, student()).normalisation.is_needed
    assert not teach(path, student(), protocol="cifar10").normalisation.is_needed


def test_a_user_s_own_classes_have_to_be_the_teacher_s(stored: Callable[..., Path]) -> None:
    """Own folders are one dataset by name, whatever is in them."""
    three = dataclasses.replace(SMALL, num_classes=3)
    named = {"dataset": "imagefolder", "protocol": "cifar10", "class_names": ["cat", "dog", "fox"]}
    teacher, seen = Distillation(str(stored(three, **named))), student(dataset="imagefolder", arch=three)
    assert load_teacher(teacher, seen, "cpu", ("cat", "dog", "fox")).smallest_side
    assert not load_teacher(teacher, seen, "cpu", ("cat", "dog", "fox")).said
    for other in (("cat", "fox", "dog"), ("cat", "fox", "wolf")):
        with pytest.raises(ConfigError, match="classes in their order; class 1 is 'fox', there 'dog'"):
            load_teacher(teacher, seen, "cpu", other)


@pytest.mark.parametrize(
    ("dataset", "own", "facts", "said"),
    [
        ("imagefolder", (*"abcdefghij",), {"dataset": "imagefolder"}, "states no names of its classes; its 10 outputs"),
        ("imagefolder", None, {"dataset": "imagefolder"}, "states no names of its classes; its 10 outputs are taken"),
        ("cifar10", None, {}, "teacher.safetensors: states no names of its classes; its 10 outputs are taken for"),
        ("cifar10", None, {"class_names": [*"abcdefghij"]}, "states other names .*such as 'a' for 'airplane'; "),
        ("cifar10", None, {"class_names": [*cifar_classes(10)]}, None),
        ("cifar10", None, {"dataset": "cifar10", "class_names": [*"abcdefghij"]}, None),
    ],
)
def test_what_is_taken_on_trust_is_said(
    stored: Callable[..., Path], dataset: str, own: tuple[str, ...] | None, facts: dict[str, object], said: str | None
) -> None:
    """Of a teacher that isn't known to be of the same dataset nothing but the number of its classes may be known."""
    teacher = load_teacher(Distillation(str(stored(protocol="cifar10", **facts))), student(dataset=dataset), "cpu", own)
    assert len(teacher.said) == (said is not None)
    assert all(re.search(str(said), line) for line in teacher.said)


def test_a_teacher_s_own_protocol_is_known_from_its_file(stored: Callable[..., Path]) -> None:
    fields = dataclasses.asdict(as_own(dataclasses.replace(get_protocol("svhn"), name="mine", mean=(0.4, 0.5, 0.6))))
    teacher = teach(stored(dataset="cifar10", protocol=fields), student())
    directly = teacher.network(normalise(PIXELS, get_protocol(fields["name"])))
    assert torch.allclose(teacher.logits(normalise(PIXELS, get_protocol("cifar10"))), directly, rtol=1e-4, atol=1e-4)


def test_what_can_t_teach(stored: Callable[..., Path]) -> None:
    with pytest.raises(ConfigError, match="states 2 names for 10 classes; expected one a class"):
        teach(stored(protocol="cifar10", class_names=["a", "b"]), student())
    with pytest.raises(ConfigError, match="expected 10 classes, as the student has, found 7"):
        teach(stored(dataclasses.replace(SMALL, num_classes=7), protocol="cifar10"), student())
    grey = stored(dataclasses.replace(SMALL, in_chans=1), protocol="digits", dataset="cifar10")
    with pytest.raises(ConfigError, match="its protocol 'digits' has 1 channels, and 'cifar10', the student's, 3"):
        teach(grey, student())
    large = teach(stored(dataclasses.replace(SMALL, stem="imagenet"), protocol="torchvision"), student())
    with pytest.raises(ConfigError, match="expected images of at least .* pixels a side, found 2 x 2"):
        large.logits(torch.zeros(1, 3, 2, 2))
