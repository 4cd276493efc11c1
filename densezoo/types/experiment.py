"""What a config file says: the network, its data and its training."""

from __future__ import annotations

from dataclasses import dataclass

from densezoo.types.architecture import Architecture


@dataclass(frozen=True)
class Recipe:
    """How a config trains: SGD with Nesterov momentum and a learning rate that falls in steps or by a cosine.

    What may be named for augmentation, optimiser and schedule are the tables in `densezoo.training`.

    Args:
        epochs: passes over the training images.
        batch_size: images an optimiser step, over all processes.
        lr: the first learning rate.
        milestones: epochs after which the rate is multiplied by gamma; none: a cosine to zero.
        gamma: that factor.
        momentum, nesterov, weight_decay: of SGD.
        augmentation: ``none``; ``pad_crop_flip``: 4-pixel zero padding, random crop, mirror (the paper's "+");
            ``resized_crop_flip``: random area and aspect ratio, mirror; ``resized_crop_colour_flip``: that with colour
            jitter and lighting (the authors' for ImageNet); ``shift``: 1-pixel zero padding, random crop.
        seed: of weights, order and augmentation.
        optimiser: ``sgd``.
        schedule: ``steps`` or ``cosine``; None: steps where there are milestones, otherwise a cosine.
    """

    epochs: int
    batch_size: int
    lr: float = 0.1
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    augmentation: str = "none"
    seed: int = 0
    optimiser: str = "sgd"
    schedule: str | None = None


@dataclass(frozen=True)
class Experiment:
    """A config file, read: what is run.

    Args:
        name: the file's name without its ending.
        path: the file, relative to the repository where it lies in it.
        model: the architecture.
        dataset: a name of `densezoo.data.datasets`.
        protocol: a name of `densezoo.protocols`.
        train: the schedule, None where a config is for evaluation only.
    """

    name: str
    path: str
    model: Architecture
    dataset: str
    protocol: str
    train: Recipe | None = None
