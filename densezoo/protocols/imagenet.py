"""ImageNet by those who train on it: the authors' Torch7, torchvision, timm and mmpretrain."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from densezoo.types import Protocol

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
#: A protocol that resizes as OpenCV does: short side 256 without antialiasing, then a crop of 224.
OPENCV = partial(Protocol, resize=256, antialias=False, resize_backend="cv2", crop=224)

TORCHVISION = Protocol(
    name="torchvision",
    source="torchvision/transforms/_presets.py ImageClassification, as DenseNet*_Weights.IMAGENET1K_V1 name it",
    resize=256,
    interpolation="bilinear",
    crop=224,
    mean=MEAN,
    std=STD,
)

TIMM = Protocol(
    name="timm",
    source="timm/data/transforms_factory.py transforms_imagenet_eval: 224, crop_pct 0.875, bicubic",
    resize=256,
    interpolation="bicubic",
    crop=224,
    mean=MEAN,
    std=STD,
)

TIMM_288 = replace(
    TIMM,
    name="timm-288",
    source="the same: 288, crop_pct 0.95 (short side floor(288 / 0.95)), the default of timm's *.ra_in1k weights",
    resize=303,
    crop=288,
)

TIMM_235 = replace(
    TIMM,
    name="timm-235",
    source="the same: 224, crop_pct 0.95 (short side floor(224 / 0.95)), of timm's table of 2024-08-13 alone",
    resize=235,
)

MMPRETRAIN = OPENCV(
    name="mmpretrain",
    source="mmpretrain configs/_base_/datasets/imagenet_bs32.py: LoadImageFromFile (cv2), ResizeEdge, CenterCrop; "
    "data_preprocessor of the same file",
    decoder="cv2.imdecode",
    exif=True,
    interpolation="bilinear",
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
    mean=MEAN,
    std=STD,
)

RDNET = replace(
    TIMM,
    name="rdnet",
    source="timm/models/rdnet.py default_cfgs, and naver-ai/rdnet README: 224, crop_pct 0.9 (short side "
    "floor(224 / 0.9)), bicubic",
    resize=248,
)

RDNET_384 = replace(
    RDNET,
    name="rdnet-384",
    source="the same for rdnet_large.nv_in1k_ft_in1k_384: 384, crop_pct 1.0",
    resize=384,
    crop=384,
)

PROTOCOLS = (TORCHVISION, TIMM, TIMM_288, TIMM_235, RDNET, RDNET_384, MMPRETRAIN, TORCH7)
