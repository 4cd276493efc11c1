"""The named protocols: how each publisher turns an image file into the tensor that its network gets.

A published accuracy belongs to one of these. Adding a protocol is one entry here.
"""

from __future__ import annotations

from densezoo.errors import UnknownNameError
from densezoo.types import Protocol

_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_IMAGENET_MEAN_255, _IMAGENET_STD_255 = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
_CAFFE_MEAN, _CAFFE_STD = (103.94, 116.78, 123.68), (1 / 0.017,) * 3  # blue, green, red
_LUA_CIFAR = "https://github.com/liuzhuang13/DenseNet, datasets/{}.lua"

_ALL = [
    Protocol(
        name="torchvision",
        source="torchvision/transforms/_presets.py ImageClassification, as DenseNet*_Weights.IMAGENET1K_V1 name it",
        resize=256,
        interpolation="bilinear",
        crop=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
    Protocol(
        name="timm",
        source="timm/data/transforms_factory.py transforms_imagenet_eval: 224, crop_pct 0.875, bicubic",
        resize=256,
        interpolation="bicubic",
        crop=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
    Protocol(
        name="timm-288",
        source="the same: 288, crop_pct 0.95 (short side floor(288 / 0.95)), the default of timm's *.ra_in1k weights",
        resize=303,
        interpolation="bicubic",
        crop=288,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
    Protocol(
        name="torch7",
        source="fb.resnet.torch datasets/imagenet.lua and transforms.lua: Scale(256), ColorNormalize, CenterCrop(224)",
        decoder="torch7",
        resize=256,
        interpolation="bicubic",
        antialias=False,
        resize_backend="torch7",
        crop=224,
        crop_rounding="ceil",
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
    Protocol(
        name="mmpretrain",
        source="mmpretrain configs/_base_/datasets/imagenet_bs64.py: LoadImageFromFile, ResizeEdge, CenterCrop",
        decoder="cv2",
        exif=True,
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="cv2",
        crop=224,
        mean=_IMAGENET_MEAN_255,
        std=_IMAGENET_STD_255,
        value_range=255.0,
    ),
    Protocol(
        name="caffe",
        source="https://github.com/shicai/DenseNet-Caffe README: 256xN, centre 224, BGR means, scale 0.017",
        decoder="cv2",
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="cv2",
        crop=224,
        mean=_CAFFE_MEAN,
        std=_CAFFE_STD,
        value_range=255.0,
        channel_order="BGR",
    ),
    Protocol(
        name="flyyufelix",
        source="https://github.com/flyyufelix/DenseNet-Keras: the Caffe port's pixels, fed to Keras",
        decoder="cv2",
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="cv2",
        crop=224,
        mean=_CAFFE_MEAN,
        std=_CAFFE_STD,
        value_range=255.0,
        channel_order="BGR",
    ),
    Protocol(
        name="keras",
        source="https://github.com/keras-team/keras-applications: its table by cv2, bicubic, 'torch' mode",
        decoder="cv2",
        resize=256,
        interpolation="bicubic",
        antialias=False,
        resize_backend="cv2",
        crop=224,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    ),
    Protocol(
        name="mxnet",
        source="https://github.com/miraclewkf/DenseNet: as the Caffe port that it was converted from",
        decoder="cv2",
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="cv2",
        crop=224,
        mean=_CAFFE_MEAN,
        std=_CAFFE_STD,
        value_range=255.0,
        channel_order="BGR",
    ),
    Protocol(
        name="mindcv",
        source="mindcv/data/transforms_factory.py and configs/densenet: bilinear, crop_pct 0.875",
        decoder="mindspore",
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="mindspore",
        crop=224,
        mean=_IMAGENET_MEAN_255,
        std=_IMAGENET_STD_255,
        value_range=255.0,
    ),
    Protocol(
        name="mindvision",
        source="mindvision densenet_imagenet_train.py --resize 224: short side 224 + 32",
        decoder="mindspore",
        resize=256,
        interpolation="bilinear",
        antialias=False,
        resize_backend="mindspore",
        crop=224,
        mean=_IMAGENET_MEAN_255,
        std=_IMAGENET_STD_255,
        value_range=255.0,
    ),
    Protocol(
        name="cifar10",
        source=_LUA_CIFAR.format("cifar10"),
        mean=(125.3, 123.0, 113.9),
        std=(63.0, 62.1, 66.7),
        value_range=255.0,
    ),
    Protocol(
        name="cifar100",
        source=_LUA_CIFAR.format("cifar100"),
        mean=(129.3, 124.1, 112.4),
        std=(68.2, 65.4, 70.4),
        value_range=255.0,
    ),
    Protocol(
        name="cifar-dice",
        source="https://github.com/deeplearning-wisc/dice, the statistics that DICE trained its CIFAR networks with",
        mean=(0.4914, 0.4822, 0.4465),
        std=(0.2023, 0.1994, 0.2010),
    ),
    Protocol(
        name="svhn",
        source="https://arxiv.org/abs/1608.06993 section 4.1: pixel values divided by 255, nothing else",
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ),
    Protocol(
        name="digits",
        source="configs/digits: mean and deviation of the training half of sklearn.datasets.load_digits, scaled to 0-1",
        mean=(0.3075,),
        std=(0.3770,),
        channel_order="L",
    ),
]

PROTOCOLS = {protocol.name: protocol for protocol in _ALL}


def get_protocol(name: str) -> Protocol:
    """The protocol of that name.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in PROTOCOLS:
        raise UnknownNameError("protocol", name, PROTOCOLS)
    return PROTOCOLS[name]
