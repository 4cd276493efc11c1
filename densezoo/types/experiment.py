"""What a config file says: the network, its data and its training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from densezoo.types.architecture import Architecture


@dataclass(frozen=True)
class Distillation:
    """A trained network whose answers a training imitates.

    Args:
        teacher: a name of the index, or a file of weights.
        weight: share of the loss that is the divergence from the teacher, 0 to 1.
        temperature: both networks' logits are divided by it.
        protocol: the teacher's; None: what its file or the index says.
    """

    teacher: str
    weight: float = 0.5
    temperature: float = 1.0
    protocol: str | None = None


@dataclass(frozen=True)
class Start:
    """What a training begins with in place of random weights: fine-tuning.

    Args:
        weights: a name of the index, or a file of weights.
        adapt_in_chans: fit the first convolution to another number of input channels, as timm does (asked for, said).
        freeze: stages that aren't trained: names of the family's stages, from the stem on; their batch statistics stay.
        lr_scales: {stage: factor of the learning rate}; "classifier" is one of the stages.
    """

    weights: str
    adapt_in_chans: bool = False
    freeze: tuple[str, ...] = ()
    lr_scales: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Recipe:
    """How a config trains.

    What may be named for augmentation, optimiser, schedule and loss are the tables in `densezoo.training`.

    Args:
        epochs: passes over the training images.
        batch_size: images an optimiser step, over all processes and accumulated batches.
        lr: the first learning rate.
        scale_lr: the batch size that lr is meant for; lr is multiplied by batch_size over this. None: lr as it is.
        milestones: epochs after which the rate is multiplied by gamma, in ``steps``.
        gamma: that factor.
        decay_epochs: epochs, or a fraction, between two such steps of a ``staircase``.
        power: of a ``polynomial``; 1: a straight line.
        momentum, nesterov: of the optimisers that have them; nesterov is not of rmsprop.
        weight_decay: of every optimiser.
        augmentation: ``none``; ``pad_crop_flip``: 4-pixel zero padding, random crop, mirror (the paper's "+");
            ``resized_crop_flip``: random area and aspect ratio, mirror; ``resized_crop_colour_flip``: that with colour
            jitter and lighting (the authors' for ImageNet); ``shift``: 1-pixel zero padding, random crop.
        seed: of weights, order and augmentation.
        optimiser: ``sgd``, ``adamw``, ``rmsprop``, ``lamb`` or ``muon``.
        schedule: ``steps``, ``staircase``, ``cosine``, ``polynomial`` or ``one_cycle``; None: steps where there are
            milestones, otherwise a cosine to min_lr.
        betas, eps: of the optimisers that have them; None: the optimiser's own.
        decay_norms: weight decay on norms and biases too, as the authors' code does; False: on the other weights alone.
        layer_decay: factor of the learning rate from one stage to the one before it; 1: the same rate everywhere.
        warmup_epochs: epochs over which the rate rises linearly from warmup_lr to lr; may be a fraction.
        warmup_lr: the rate at the first step.
        min_lr: what the rate of a schedule that falls smoothly falls to.
        policy: changes of an image that are drawn from a list (`densezoo.training.policies`): RandAugment, AutoAugment
            or AugMix in timm's spelling ("rand-m7-n2-mstd0.5"), or torchvision's ``ta_wide`` (TrivialAugment), ``ra``,
            ``imagenet``, ``cifar10`` or ``svhn`` (AutoAugment's); None: none.
        crop_scale: of a random area: the least and the largest share of the image.
        erasing: share of the images in which a random rectangle is filled with noise.
        repeats: how often an image stands in one epoch's order, each time augmented anew (repeated augmentation).
        image_size: pixels a side to train with; None: the protocol's crop.
        mixup, cutmix: alpha of the beta distribution; 0: none.
        mix_probability: share of the batches that are mixed.
        label_smoothing: share of each label that is spread over all classes.
        loss: a name of `densezoo.training.losses`: ``cross_entropy``, or ``bce``: one binary decision a class.
        class_weights: "balanced": each class weighs in the loss by its images' inverse frequency; None: equally.
        balanced_sampling: each class is drawn equally often.
        accumulate: batches whose gradients one optimiser step takes.
        clip_grad: largest norm of the gradients; None: not clipped.
        precision: ``float32``, ``bf16`` or ``fp16``: what products are computed in; weights stay float32.
        channels_last: memory order of images and weights.
        compile: compile the network by torch.compile.
        memory: how a dense block's features are kept for backward: a name of the family's memory modes.
        sync_bn: batch statistics over all processes.
        ema: decay of an exponential moving average of the weights, which is then what is measured and kept; None: none.
        distillation: None: none.
        start: what fine-tuning begins with; None: random weights.
        evaluate_every: epochs between evaluations; the last epoch is always evaluated.
        patience: evaluations without a better top-1 (AUC, with a label_table) after which training ends; None: it
            doesn't.
        save_every: optimiser steps between saved states; None: after each epoch alone.
        keep: the last so many states that are kept; the best evaluated weights are kept besides.
        held_out: share of an own folder's images that are measured on and not trained on, where it has no val/.
        label_table: CSV of several labels an image (`densezoo.data.layouts.label_table`), in the folder of the images
            or beside; None: each image has one class.
    """

    epochs: int
    batch_size: int
    lr: float = 0.1
    scale_lr: int | None = None
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    decay_epochs: float | None = None
    power: float = 1.0
    momentum: float = 0.9
    nesterov: bool = True
    weight_decay: float = 1e-4
    augmentation: str = "none"
    seed: int = 0
    optimiser: str = "sgd"
    schedule: str | None = None
    betas: tuple[float, float] | None = None
    eps: float | None = None
    decay_norms: bool = True
    layer_decay: float = 1.0
    warmup_epochs: float = 0.0
    warmup_lr: float = 0.0
    min_lr: float = 0.0
    policy: str | None = None
    crop_scale: tuple[float, float] = (0.08, 1.0)
    erasing: float = 0.0
    repeats: int = 1
    image_size: int | None = None
    mixup: float = 0.0
    cutmix: float = 0.0
    mix_probability: float = 1.0
    label_smoothing: float = 0.0
    loss: str = "cross_entropy"
    class_weights: Literal["balanced"] | None = None
    balanced_sampling: bool = False
    accumulate: int = 1
    clip_grad: float | None = None
    precision: Literal["float32", "bf16", "fp16"] = "float32"
    channels_last: bool = False
    compile: bool = False
    memory: str = "none"
    sync_bn: bool = False
    ema: float | None = None
    distillation: Distillation | None = None
    start: Start | None = None
    evaluate_every: int = 1
    patience: int | None = None
    save_every: int | None = None
    keep: int = 2
    held_out: float = 0.2
    label_table: str | None = None


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
