"""ImageNet by those who publish converted or newly trained weights for another framework; and Places365."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from densezoo.protocols.imagenet import MEAN, OPENCV, STD
from densezoo.types import Protocol

_MEAN_255, _STD_255 = tuple(255 * value for value in MEAN), tuple(255 * value for value in STD)
_OPENCV = partial(OPENCV, crop_rounding="floor")
#: What is assumed of who uses OpenCV and doesn't say otherwise.
_BY_IMREAD = partial(_OPENCV, decoder="cv2.imread", exif=True)

CAFFE = _BY_IMREAD(
    name="caffe",
    source="https://github.com/shicai/DenseNet-Caffe README and issue 25: short side 256, centre crop 224, BGR means, "
    "scale 0.017. Not stated, OpenCV's defaults assumed: imread, bilinear, EXIF applied; nor the crop's rounding",
    interpolation="bilinear",
    mean=(103.94, 116.78, 123.68),
    std=(1 / 0.017,) * 3,
    value_range=255.0,
    channel_order="BGR",
)

KERAS = _BY_IMREAD(
    name="keras",
    source="https://github.com/keras-team/keras-applications/issues/88: short side 256, cv2.INTER_CUBIC, crop 224; "
    "preprocess_input with mode 'torch'. Not published: the script; cv2.imread's EXIF and floor assumed",
    interpolation="bicubic",
    mean=MEAN,
    std=STD,
)

MINDCV = _OPENCV(
    name="mindcv",
    source="mindcv/data/transforms_factory.py transforms_imagenet_eval: Decode, Resize(256), CenterCrop(224), "
    "Normalize. Rules as in minddata/dataset/kernels/image of MindSpore. Its published figures come from MindSpore's "
    "own builds of libjpeg-turbo and OpenCV on Ascend, which are not here: single pixels may differ",
    decoder="mindspore",
    interpolation="bilinear",
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

GLUON = _OPENCV(
    name="gluon",
    source="mxnet.gluon.data.vision.transforms: Resize(256, keep_ratio=True), which is OpenCV's bilinear "
    "(apache/mxnet src/operator/image/resize-inl.h), CenterCrop(224), ToTensor, Normalize; as GluonCV and "
    "osmr/imgclsmob gluon/datasets/imagenet1k_cls_dataset.py use them. mxnet.image.imread ignores EXIF",
    decoder="cv2.imdecode",
    interpolation="bilinear",
    mean=MEAN,
    std=STD,
)

GLUON_RECORD = replace(
    GLUON,
    name="gluon-record",
    source="mxnet.io.ImageRecordIter(resize=256, data_shape=224) with the means and deviations of osmr/imgclsmob "
    "keras_/utils.py get_data_rec. Assumed: that its record file holds the images' own bytes, unpacked and unresized. "
    "The iterator applies EXIF",
    exif=True,
    mean=(123.68, 116.779, 103.939),
    std=(58.393, 57.12, 57.375),
    value_range=255.0,
)

TF2CV = OPENCV(
    name="tf2cv",
    keeps_crop_size=True,
    source="osmr/imgclsmob tensorflow2/datasets/imagenet1k_cls_dataset.py load_image_imagenet1k_val: Pillow decodes, "
    "cv2.resize with INTER_LINEAR, the crop's offset rounded half to even; cls_dataset.py img_normalization. "
    "An image of 224 x 224 is not resized",
    interpolation="bilinear",
    mean=_MEAN_255,
    std=_STD_255,
    value_range=255.0,
)

PADDLE = _OPENCV(
    name="paddle",
    source="PaddleClas ppcls/data/preprocess/ops/operators.py: DecodeImage (cv2.imdecode), "
    "ResizeImage(resize_short=256), both sides rounded, INTER_LINEAR; CropImage(224), "
    "NormalizeImage(scale=1/255)",
    decoder="cv2.imdecode",
    exif=True,
    long_side="half_even",
    interpolation="bilinear",
    mean=MEAN,
    std=STD,
)

MINDSPORE_HUB = replace(
    MINDCV,
    name="mindspore-hub",
    source="MindSpore's mindspore-ai/models official/cv/densenet/src/datasets/classification.py @23a1e80: "
    "Decode, Resize((256, 256)) of both sides, CenterCrop(224), Normalize. Assumed: that every release of "
    "the hub was measured so. For what can't be reproduced here, as mindcv",
    long_side="same",
)

OPEN_MODEL_ZOO = replace(
    CAFFE,
    name="open-model-zoo",
    source="open_model_zoo models/public/densenet-121/accuracy-check.yml and accuracy_checker "
    "preprocessor/resize.py, crop.py, whose defaults they are: cv2.imread, both sides to 256 with "
    "INTER_LINEAR, crop 224; the Caffe port's BGR means",
    long_side="same",
)

OPEN_MODEL_ZOO_KERAS = replace(
    OPEN_MODEL_ZOO,
    name="open-model-zoo-keras",
    source="as open-model-zoo, with the RGB means and deviations of models/public/densenet-121-tf/model.yml "
    "since 2021.3",
    mean=(123.68, 116.78, 103.94),
    std=(58.395, 57.12, 57.375),
    channel_order="RGB",
)

OPEN_MODEL_ZOO_PUDAE = replace(
    OPEN_MODEL_ZOO_KERAS,
    name="open-model-zoo-pudae",
    source="as open-model-zoo, with the RGB means and the scale of models/public/densenet-161-tf/model.yml",
    std=CAFFE.std,
)

PUDAE = replace(
    CAFFE,
    name="pudae",
    source="https://github.com/pudae/tensorflow-densenet preprocessing/densenet_preprocessing.py: both sides x "
    "(256 / short side) in single precision, TensorFlow 1's resize_bilinear, which starts at the corner of the first "
    "pixel, central crop 224, RGB means, scale 0.017. Its figures are the Caffe port's: assumed to be its own",
    decoder="cv2.imdecode",
    exif=False,
    long_side="single",
    resize_backend="tensorflow1",
    mean=(123.68, 116.78, 103.94),
    channel_order="RGB",
)

KERASCV = _OPENCV(
    name="kerascv",
    source="keras_cv/datasets/imagenet/load.py @2b6e0d1: the central square, resized to 224 by tf.image.resize "
    "(bilinear, no antialias), which keeps fractions of a pixel's value; x 1/255 in the network. Assumed: that "
    "crop_to_aspect_ratio was on in the published runs",
    decoder="cv2.imdecode",
    resize=224,
    long_side="cut",
    resize_backend="tensorflow",
    interpolation="bilinear",
    mean=(0.0, 0.0, 0.0),
    std=(255.0, 255.0, 255.0),
    value_range=255.0,
)

PLACES365 = Protocol(
    name="places365",
    source="https://github.com/CSAILVision/places365 run_placesCNN_basic.py: Resize((256, 256)) of both sides, "
    "CenterCrop(224)",
    resize=256,
    long_side="same",
    interpolation="bilinear",
    crop=224,
    mean=MEAN,
    std=STD,
)

PROTOCOLS = (
    CAFFE, KERAS, MINDCV, MINDVISION, MXNET, FLYYUFELIX, GLUON, GLUON_RECORD, TF2CV, PADDLE, MINDSPORE_HUB,
    OPEN_MODEL_ZOO, OPEN_MODEL_ZOO_KERAS, OPEN_MODEL_ZOO_PUDAE, PUDAE, KERASCV, PLACES365,
)  # fmt: skip
