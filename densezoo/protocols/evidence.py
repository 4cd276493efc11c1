"""What each protocol is held to: its publisher's own code, run in each test or once, or our reading of a text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True)
class Evidence:
    """Why a protocol is believed to be its publisher's.

    Args:
        kind: where the tensors are from that the tests compare with.
        held_to: the packages with their versions, or the text that we read.
        largest: the most by which a normalised value differs from the code's in the tests; None: no code was run.
        differs: what is known to differ beyond that, and why.
    """

    class Kind(Enum):
        """Where the tensors are from that the tests compare with; the value is the word for it in tables."""

        LIVE = "the publisher's package, in every run of the tests"
        RECORDED = "the publisher's code, run once"
        READ = "our reading"
        NONE = "nothing: assumed"

    kind: Kind
    held_to: str
    largest: float | None = None
    differs: str = ""


_LIVE, _RECORDED, _READ, _NONE = Evidence.Kind
_TIMM = Evidence(_LIVE, "timm's create_transform", 0)
_TORCHVISION = Evidence(_LIVE, "torchvision's transforms, in the order that the publisher's script has", 0)
_LUA = Evidence(_READ, "datasets/cifar10.lua and cifar100.lua of the authors: two lines of numbers")
_OLD_OPENCV = "a JPEG file that ends early is refused here; the OpenCV of that package fills it in"
_CHECKER = (
    "the accuracy checker of openvino-dev 2021.4.2 with its own accuracy-check.yml, on opencv-python-headless 4.5.5.64"
)
#: With its dct_method INTEGER_ACCURATE, TensorFlow's pixels are OpenCV's.
_TF_JPEG = "of a JPEG file, values by up to {}, 4 of 255: TensorFlow decodes with libjpeg's fast, inexact JDCT_IFAST"

#: {protocol: its evidence}. tests/data/test_publishers_pixels.py and test_protocol_exactness.py hold what they say.
EVIDENCE: Mapping[str, Evidence] = {
    "torchvision": Evidence(_LIVE, "torchvision's DenseNet121_Weights.IMAGENET1K_V1.transforms()", 0),
    "timm": _TIMM,
    "timm-288": _TIMM,
    "timm-235": _TIMM,
    "rdnet": _TIMM,
    "rdnet-384": _TIMM,
    "mmpretrain": Evidence(_LIVE, "mmcv's imfrombytes, imresize and CenterCrop; ResizeEdge's size and the data "
                           "preprocessor by our reading of mmpretrain", 0),
    "torch7": Evidence(_RECORDED, "Torch7 with its image package and the authors' datasets/transforms.lua, on two PNG "
                       "pictures; other files by our reading of torch/image", 2e-6),
    "caffe": Evidence(_RECORDED, f"{_CHECKER}, which states this input for Caffe2's port of these weights; shicai "
                      "published no code", 0),
    "keras": Evidence(_READ, "the words of keras-applications' issue 88; no script was published"),
    "mindcv": Evidence(_RECORDED, "mindcv 0.3.0 on mindspore 2.10.0: its data set, transforms and loader", 0),
    "mindvision": Evidence(_RECORDED, "mindvision 0.1.0 on mindspore 2.0.0: its data set ImageNet", 0),
    "mxnet": Evidence(_NONE, "the publisher has no code for its figures; caffe's input"),
    "flyyufelix": Evidence(_NONE, "the publisher has no code for its figures; caffe's input"),
    "gluon": Evidence(_RECORDED, "gluoncv 0.10.5.post0's data set and transform_eval on mxnet 1.9.1", 0, _OLD_OPENCV),
    "gluon-record": Evidence(_RECORDED, "mxnet 1.9.1's ImageRecordIter with imgclsmob's arguments", 3e-7, _OLD_OPENCV),
    "tf2cv": Evidence(_RECORDED, "the functions of imgclsmob's validation in imagenet1k_cls_dataset.py @1812673, "
                      "copied out of the file, on tensorflow-cpu 2.4.4, keras_preprocessing 1.1.2, "
                      "opencv-python-headless 4.5.5.64 and pillow 10.4.0", 3e-7),
    "paddle": Evidence(_RECORDED, "paddleclas 2.2.1's ImageNetDataset and operators on opencv-python 4.4.0.46", 1e-6,
                       _OLD_OPENCV),
    "mindspore-hub": Evidence(_RECORDED, "mindspore 2.10.0, its transforms in the order of classification.py", 0),
    "open-model-zoo": Evidence(_RECORDED, _CHECKER, 0),
    "open-model-zoo-keras": Evidence(_RECORDED, f"{_CHECKER}; the means and deviations, which the converted network "
                                     "holds, from its model.yml", 0),
    "open-model-zoo-pudae": Evidence(_RECORDED, f"{_CHECKER}; the means and the scale, which the converted network "
                                     "holds, from its model.yml", 0),
    "pudae": Evidence(_RECORDED, "the functions of densenet_preprocessing.py @9933b0b, copied out of the file, on "
                      "tensorflow 1.15.5; slim's decoding by our reading", 3e-7,
                      _TF_JPEG.format(0.068)),
    "kerascv": Evidence(_RECORDED, "keras-cv 0.9.0's loader of ImageNet's records on tensorflow-cpu 2.16.2", 1e-7,
                        _TF_JPEG.format(0.016)),
    "places365": _TORCHVISION,
    "cifar10": _LUA,
    "cifar100": _LUA,
    "cifar-dice": _TORCHVISION,
    "cifar-huyvnphan": _TORCHVISION,
    "cifar-hysts": _TORCHVISION,
    "cifar100-detectors": _TIMM,
    "svhn-detectors": _TIMM,
    "svhn": Evidence(_READ, "a sentence of the paper, section 4.1"),
    "none": Evidence(_NONE, "no publisher's"),
    "digits": Evidence(_LIVE, "scikit-learn's digits, whose mean and deviation it has, to four digits", 5e-5),
}  # fmt: skip
