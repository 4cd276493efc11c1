"""The named protocols: how each publisher turns an image file into the tensor that its network gets.

A published accuracy belongs to one of these. Adding a protocol is one entry here. Where a publisher leaves a step
open, its entry says which, and what is assumed.
"""

from __future__ import annotations

from dataclasses import replace

from densezoo.errors import UnknownNameError
from densezoo.types import Protocol

_LUA_CIFAR = "https://github.com/liuzhuang13/DenseNet, datasets/{}.lua"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MEAN_255, _STD_255 = tuple(255 * value for value in _MEAN), tuple(255 * value for value in _STD)

TORCHVISION = Protocol(
    name="torchvision",
    source="torchvision/transforms/_presets.py ImageClassification, as DenseNet*_Weights.IMAGENET1K_V1 name it",
    resize=256,
    interpolation="bilinear",
    crop=224,
    mean=_MEAN,
    std=_STD,
)

TIMM = Protocol(
    name="timm",
    source="timm/data/transforms_factory.py transforms_imagenet_eval: 224, crop_pct 0.875, bicubic",
    resize=256,
    interpolation="bicubic",
    crop=224,
    mean=_MEAN,
    std=_STD,
)

TIMM_288 = replace(
    TIMM,
    name="timm-288",
    source="the same: 288, crop_pct 0.95 (short side floor(288 / 0.95)), the default of timm's *.ra_in1k weights",
    resize=303,
    crop=288,
)

MMPRETRAIN = Protocol(
    name="mmpretrain",
    source="mmpretrain configs/_base_/datasets/imagenet_bs32.py: LoadImageFromFile (cv2), ResizeEdge, CenterCrop; "
    "data_preprocessor of the same file",
    decoder="cv2.imdecode",
    exif=True,
    resize=256,
    interpolation="bilinear",
    antialias=False,
    resize_backend="cv2",
    crop=224,
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    value_range=255.0,
)

TORCH7 = Protocol(
    name="torch7",
    source="https://github.com/liuzhuang13/DenseNet, datasets/imagenet.lua and transforms.lua: Scale(256), "
    "ColorNormalize, CenterCrop(224); https://github.com/torch/image for decoding and resampling",
    decoder="torch7",
    resize=256,
    interpolation="bicubic",
    antialias=False,
    resize_backend="torch7",
    crop=224,
    crop_rounding="ceil",
    mean=_MEAN,
    std=_STD,
)

CAFFE = Protocol(
    name="caffe",
    source="https://github.com/shicai/DenseNet-Caffe README and issue 25: short side 256, centre crop 224, BGR means, "
    "scale 0.017. Not stated, OpenCV's defaults assumed: imread, bilinear, EXIF applied; nor the crop's rounding",
    decoder="cv2.imread",
    exif=True,
    resize=256,
    interpolation="bilinear",
    antialias=False,
    resize_backend="cv2",
    crop=224,
    crop_rounding="floor",
    mean=(103.94, 116.78, 123.68),
    std=(1 / 0.017,) * 3,
    value_range=255.0,
    channel_order="BGR",
)

MXNET = replace(
    CAFFE,
    name="mxnet",
    source="https://github.com/miraclewkf/DenseNet publishes the Caffe port's weights and top-1 errors without code "
    "for them: the Caffe port's input is assumed. Its training scripts subtract means without a scale, at 224 x 224",
)

FLYYUFELIX = replace(
    CAFFE,
    name="flyyufelix",
    source="https://github.com/flyyufelix/DenseNet-Keras repeats the Caffe port's figures, so this is the Caffe port's "
    "input. Its demo (test_inference.py) normalises likewise, but squeezes the whole image to 224 x 224",
)

KERAS = Protocol(
    name="keras",
    source="https://github.com/keras-team/keras-applications/issues/88: short side 256, cv2.INTER_CUBIC, crop 224; "
    "preprocess_input with mode 'torch'. Not published: the script; cv2.imread's EXIF and floor assumed",
    decoder="cv2.imread",
    exif=True,
    resize=256,
    interpolation="bicubic",
    antialias=False,
    resize_backend="cv2",
    crop=224,
    crop_rounding="floor",
    mean=_MEAN,
    std=_STD,
)

MINDCV = Protocol(
    name="mindcv",
    source="mindcv/data/transforms_factory.py transforms_imagenet_eval: Decode, Resize(256), CenterCrop(224), "
    "Normalize. Rules as in minddata/dataset/kernels/image of MindSpore. Its published figures come from MindSpore's "
    "own builds of libjpeg-turbo and OpenCV on Ascend, which are not here: single pixels may differ",
    decoder="mindspore",
    resize=256,
    interpolation="bilinear",
    antialias=False,
    resize_backend="cv2",
    crop=224,
    crop_rounding="floor",
    mean=_MEAN_255,
    std=_STD_255,
    value_range=255.0,
)

MINDVISION = replace(
    MINDCV,
    name="mindvision",
    source="mindvision/classification/dataset: Decode, Resize(224 + 32), CenterCrop(224), Normalize; the interpolation "
    "is MindSpore's default. For the rest, and for what can't be reproduced here, as mindcv",
)

CIFAR10 = Protocol(
    name="cifar10",
    source=_LUA_CIFAR.format("cifar10"),
    mean=(125.3, 123.0, 113.9),
    std=(63.0, 62.1, 66.7),
    value_range=255.0,
)

CIFAR100 = Protocol(
    name="cifar100",
    source=_LUA_CIFAR.format("cifar100"),
    mean=(129.3, 124.1, 112.4),
    std=(68.2, 65.4, 70.4),
    value_range=255.0,
)

CIFAR_DICE = Protocol(
    name="cifar-dice",
    source="https://github.com/deeplearning-wisc/dice, the statistics that DICE trained its CIFAR networks with",
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
)

SVHN = Protocol(
    name="svhn",
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
    source="configs/digits: mean and deviation of the training half of sklearn.datasets.load_digits, scaled to 0-1",
    mean=(0.3075,),
    std=(0.3770,),
    channel_order="L",
)

_IMAGENET = (TORCHVISION, TIMM, TIMM_288, MMPRETRAIN, TORCH7, CAFFE, KERAS, MINDCV, MINDVISION, MXNET, FLYYUFELIX)
_SMALL = (CIFAR10, CIFAR100, CIFAR_DICE, SVHN, NONE, DIGITS)

PROTOCOLS = {protocol.name: protocol for protocol in (*_IMAGENET, *_SMALL)}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]


def same_kind(protocol: Protocol) -> list[Protocol]:
    """Every protocol that could stand in for this one: for as many channels, and resizing if it does."""

    def kind(other: Protocol) -> tuple[bool, int]:
        return other.resize is None, len(other.channel_order)

    return [other for other in PROTOCOLS.values() if kind(other) == kind(protocol)]
