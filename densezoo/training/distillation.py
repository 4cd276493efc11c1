"""A teacher: a trained network whose answers a training imitates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from densezoo.config import load_config
from densezoo.conversion.load import build_network
from densezoo.conversion.match import read_network
from densezoo.data.datasets import DATASETS
from densezoo.errors import ConfigError
from densezoo.families import family_of
from densezoo.formats.identity import file_sha256
from densezoo.index.download import fetch_weights
from densezoo.index.known import identify, own_protocol
from densezoo.index.load import get_spec
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.types import Distillation, Experiment, Protocol


@dataclass(frozen=True, eq=False)
class Teacher:
    """A trained network that is shown the student's images.

    Args:
        network: images as its own protocol normalises them -> logits (N, classes); in eval mode, without gradients.
        distillation: gives weight and temperature.
        normalisation: the student's normalised images -> the same images, normalised for the teacher.
        smallest_side: of the images that the network can take, in pixels.
        said: what was taken on trust, in lines for the user.
    """

    network: nn.Module
    distillation: Distillation
    normalisation: nn.Module
    smallest_side: int
    said: tuple[str, ...] = ()

    @torch.no_grad()
    def logits(self, images: Tensor) -> Tensor:
        """The teacher's logits (N, classes).

        Args:
            images: float (N, C, H, W), as the student gets them: normalised by its protocol, augmented and mixed.

        Raises:
            ConfigError: the images are too small for the teacher.
        """
        if min(images.shape[-2:]) < self.smallest_side:
            raise ConfigError(
                f"train.distillation.teacher {self.distillation.teacher}: expected images of at least "
                f"{self.smallest_side} pixels a side, found {images.shape[-2]} x {images.shape[-1]}; choose "
                "a teacher of images as small as the student's"
            )
        logits: Tensor = self.network(self.normalisation(images))
        return logits

    def loss(self, student: Tensor, teacher: Tensor, hard: Tensor) -> Tensor:
        """The student's whole loss: (1 - weight) hard + weight x temperature^2 x KL(teacher || student).

        The divergence is of the softmax of logits / temperature, summed over classes, the mean over images
        (https://arxiv.org/abs/1503.02531); the temperature's square keeps its gradients at the other loss's size.

        Args:
            student: its logits (N, classes).
            teacher: the answer of `logits` to the same images.
            hard: the student's loss against the labels, a scalar.
        """
        weight, temperature = self.distillation.weight, self.distillation.temperature
        own, imitated = (functional.log_softmax(each.float() / temperature, dim=1) for each in (student, teacher))
        divergence = functional.kl_div(own, imitated, reduction="batchmean", log_target=True)
        return (1.0 - weight) * hard + weight * temperature**2 * divergence


def load_teacher(
    distillation: Distillation, student: Experiment, device: str, class_names: Sequence[str] | None = None
) -> Teacher:
    """The teacher that a recipe names.

    Args:
        distillation: of the student's recipe.
        student: what is trained; the teacher has to tell the same classes of the same dataset.
        device: where the teacher is computed.
        class_names: of a user's own classes, in the order of the student's logits; None: the dataset's.

    Raises:
        ConfigError: it is of another dataset or other classes, nothing says how its images are normalised, or its
            protocol orders channels so that the student's images can't be shown to it.
        UnknownNameError, DownloadError, FormatError, CheckpointError: it can't be found, read or converted.
    """
    network, teacher, names = _read(distillation)
    what = f"train.distillation.teacher {distillation.teacher}"
    _check_classes(what, teacher, names, student, class_names)
    if not teacher.protocol:
        raise ConfigError(
            f"{what}: nothing says how its images are normalised; name its protocol as train.distillation.protocol"
        )
    seen, wanted = (get_protocol(each.protocol) for each in (student, teacher))
    if len(seen.channel_order) != len(wanted.channel_order):
        raise ConfigError(
            f"{what}: its protocol {wanted.name!r} has {len(wanted.channel_order)} channels, and {seen.name!r}, the "
            f"student's, {len(seen.channel_order)}; choose a teacher of images of as many"
        )
    trusted = _trusted(teacher, names, student, class_names)
    return Teacher(
        network.to(device).requires_grad_(False).eval(),
        distillation,
        Renormalisation(seen, wanted).to(device),
        family_of(teacher.model).smallest_side(teacher.model),
        (f"{what}: {trusted}",) if trusted else (),
    )


def _read(distillation: Distillation) -> tuple[nn.Module, Experiment, Sequence[str]]:
    """The teacher's network, what is known of it (dataset and protocol, or "" where unknown), its classes' names."""
    path = Path(distillation.teacher)
    if path.is_file():
        spec, _ = identify(path, file_sha256(path))
    else:
        spec = get_spec(distillation.teacher)
        path = fetch_weights(spec.name)
    asked = spec.architecture if spec else None
    content = read_network(path, asked)
    network, report = build_network(content, asked)
    facts = report.stated
    dataset = load_config(ROOT / spec.config).dataset if spec else str(facts.get("dataset", ""))
    protocol = distillation.protocol
    if not protocol:
        protocol = own_protocol(path, spec, report.protocol if facts.get("protocol") else None, report.protocol)
    names = facts.get("class_names")
    teacher = Experiment(path.stem, "", report.architecture, dataset, protocol)
    return network, teacher, [*map(str, names)] if isinstance(names, list) else []


def _check_classes(
    what: str, teacher: Experiment, names: Sequence[str], student: Experiment, class_names: Sequence[str] | None
) -> None:
    """Refuse a teacher of another dataset or of other classes.

    Raises:
        ConfigError: it is one.
    """
    if teacher.dataset and teacher.dataset != student.dataset:
        raise ConfigError(f"{what}: expected a network of {student.dataset}, found one of {teacher.dataset}")
    if teacher.model.num_classes != student.model.num_classes:
        raise ConfigError(
            f"{what}: expected {student.model.num_classes} classes, as the student has, found "
            f"{teacher.model.num_classes}"
        )
    if names and len(names) != teacher.model.num_classes:
        raise ConfigError(
            f"{what}: states {len(names)} names for {teacher.model.num_classes} classes; expected one a class; convert "
            "it anew from the file that it was made of"
        )
    pairs = enumerate(zip(class_names or (), names))
    if other := next(((i, own, theirs) for i, (own, theirs) in pairs if own != theirs), None):
        number, own, theirs = other
        raise ConfigError(
            f"{what}: expected the student's classes in their order; class {number} is {own!r}, there {theirs!r}"
        )


def _trusted(teacher: Experiment, names: Sequence[str], student: Experiment, class_names: Sequence[str] | None) -> str:
    """What is taken on trust of the teacher's classes, where nothing compared them with the student's; "": nothing."""
    dataset = DATASETS[student.dataset]
    if teacher.dataset and dataset.num_classes is not None:
        return ""  # the same dataset, which has classes of its own
    if not names:
        stated = "states no names of its classes"
    else:
        known = class_names or (dataset.names() if dataset.names else ())
        other = next((pair for pair in zip(names, known) if pair[0] != pair[1]), None)
        if known and other is None:
            return ""
        stated = "names classes, and nothing names the student's"
        if other:
            stated = f"states other names of its classes, such as {other[0]!r} for {other[1]!r}"
    return f"{stated}; its {teacher.model.num_classes} outputs are taken for the student's classes in their order"


class Renormalisation(nn.Module):
    """Images normalised by one protocol -> the same images, normalised by another.

    Args:
        seen: what normalised the images.
        wanted: what is to have normalised them; of as many channels.
    """

    factor: Tensor
    offset: Tensor

    def __init__(self, seen: Protocol, wanted: Protocol) -> None:
        super().__init__()
        self.reverses_channels = seen.channel_order != wanted.channel_order
        means, deviations = (
            torch.tensor(values[::-1] if self.reverses_channels else values, dtype=torch.float64).view(-1, 1, 1)
            for values in (seen.mean, seen.std)
        )
        mean, deviation = (torch.tensor(v, dtype=torch.float64).view(-1, 1, 1) for v in (wanted.mean, wanted.std))
        scale = wanted.value_range / seen.value_range
        self.register_buffer("factor", (deviations * scale / deviation).float())
        self.register_buffer("offset", ((means * scale - mean) / deviation).float())
        self.is_needed = (seen.mean, seen.std, seen.value_range, seen.channel_order) != (
            wanted.mean,
            wanted.std,
            wanted.value_range,
            wanted.channel_order,
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (N, C, H, W), float, as the second protocol normalises them; the same tensor where both do alike."""
        if not self.is_needed:
            return images
        ordered = images.flip(1) if self.reverses_channels else images
        return ordered * self.factor + self.offset
