"""Small images: no resize and no crop, so that they have to have their size as they come."""

from __future__ import annotations

from dataclasses import replace

from densezoo.types import Protocol

_LUA_CIFAR = "https://github.com/liuzhuang13/DenseNet, datasets/{}.lua"

CIFAR10 = Protocol(
    name="cifar10",
    image_size=32,
    source=_LUA_CIFAR.format("cifar10"),
    mean=(125.3, 123.0, 113.9),
    std=(63.0, 62.1, 66.7),
    value_range=255.0,
)

CIFAR100 = Protocol(
    name="cifar100",
    image_size=32,
    source=_LUA_CIFAR.format("cifar100"),
    mean=(129.3, 124.1, 112.4),
    std=(68.2, 65.4, 70.4),
    value_range=255.0,
)

CIFAR_DICE = Protocol(
    name="cifar-dice",
    image_size=32,
    source="https://github.com/deeplearning-wisc/dice, the statistics that DICE trained its CIFAR networks with; "
    "also of pytorchcv (https://github.com/osmr/imgclsmob: CIFAR-10, CIFAR-100 and SVHN), of bearpaw's "
    "pytorch-classification and of detectors' CIFAR-10",
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
)

CIFAR_HUYVNPHAN = replace(
    CIFAR_DICE,
    name="cifar-huyvnphan",
    source="https://github.com/huyvnphan/PyTorch_CIFAR10, data.py: ToTensor, Normalize",
    std=(0.2471, 0.2435, 0.2616),
)

CIFAR_HYSTS = replace(
    CIFAR_DICE,
    name="cifar-hysts",
    source="https://github.com/hysts/pytorch_image_classification, transforms/__init__.py: CIFAR-10's statistics",
    std=(0.2470, 0.2435, 0.2616),
)

CIFAR100_DETECTORS = Protocol(
    name="cifar100-detectors",
    image_size=32,
    source="https://github.com/edadaltocg/detectors, models/densenet.py and data/constants.py: crop_pct 1, CIFAR-100's "
    "statistics",
    mean=(0.5071, 0.4867, 0.4408),
    std=(0.2675, 0.2565, 0.2761),
)

SVHN_DETECTORS = replace(
    CIFAR100_DETECTORS,
    name="svhn-detectors",
    source="https://github.com/edadaltocg/detectors, the same with SVHN's statistics",
    mean=(0.4377, 0.4438, 0.4728),
    std=(0.1980, 0.2010, 0.1970),
)

SVHN = Protocol(
    name="svhn",
    image_size=32,
    source="https://arxiv.org/abs/1608.06993 section 4.1: pixel values divided by 255, nothing else",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)

NONE = replace(
    SVHN,
    name="none",
    source="no publisher's: what is left where mean and deviation are forgotten, pixels / 255. The numbers are svhn's, "
    "which is that on purpose",
)

DIGITS = Protocol(
    name="digits",
    image_size=8,
    source="configs/digits: mean and deviation of the training half of sklearn.datasets.load_digits, scaled to 0-1",
    mean=(0.3075,),
    std=(0.3770,),
    channel_order="L",
)

PROTOCOLS = (
    CIFAR10,
    CIFAR100,
    CIFAR_DICE,
    CIFAR_HUYVNPHAN,
    CIFAR_HYSTS,
    CIFAR100_DETECTORS,
    SVHN_DETECTORS,
    SVHN,
    NONE,
    DIGITS,
)
