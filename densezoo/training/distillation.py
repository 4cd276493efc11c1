"""A teacher: a trained network whose answers a training imitates."""

from __future__ import annotations

from torch import Tensor, nn

from densezoo.types import Distillation, Experiment


class Teacher:
    """A trained network, called with the student's images.

    Args:
        network: images as its own protocol normalises them -> logits (N, classes); in eval mode, without gradients.
        distillation: gives weight and temperature.
        factor, offset: float32 (C, 1, 1), by which the student's normalised images become the teacher's.
    """

    def __init__(self, network: nn.Module, distillation: Distillation, factor: Tensor, offset: Tensor) -> None:
        raise NotImplementedError

    def logits(self, images: Tensor) -> Tensor:
        """The teacher's logits (N, classes), float32, without gradients.

        Args:
            images: float (N, C, H, W), as the student gets them: normalised by its protocol, augmented and mixed.
        """
        raise NotImplementedError

    def loss(self, student: Tensor, teacher: Tensor, hard: Tensor) -> Tensor:
        """The student's whole loss: (1 - weight) hard + weight x temperature^2 x KL(teacher || student).

        Args:
            student: its logits (N, classes).
            teacher: the logits of `logits`, of the same images.
            hard: the student's loss against the labels, a scalar.
        """
        raise NotImplementedError


def load_teacher(distillation: Distillation, student: Experiment, device: str) -> Teacher:
    """The teacher that a recipe names.

    Args:
        distillation: of the recipe.
        student: what is trained: its classes, dataset and protocol have to be the teacher's, or convertible.
        device: where it is computed.

    Raises:
        ConfigError: it is of other classes, another dataset, or of a protocol whose images the student's don't become.
        UnknownNameError, DownloadError, FormatError, CheckpointError: it can't be found, read or converted.
    """
    raise NotImplementedError
