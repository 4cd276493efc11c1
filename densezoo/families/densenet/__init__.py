"""Densely connected networks with batch norm: Huang, Liu, van der Maaten, Weinberger, https://arxiv.org/abs/1608.06993."""

from __future__ import annotations

from densezoo.families.base import Family
from densezoo.families.densenet.architecture import DenseNetArchitecture

FAMILY = Family(
    title="DenseNet",
    architecture=DenseNetArchitecture,
    anchor=("layer.conv1", 1, 1),
    inferred=(
        "growth_rate", "block_config", "num_init_features", "bn_size", "reduction", "stem", "in_chans", "num_classes",
    ),
    sizes=("growth_rate", "block_config"),
    fragments=(
        (r"^feat_extract\.denseblock1\.", "one of TIAToolbox's DenseNets, which have no ReLU after their last norm"),
        (r"(^|\.)dense_stages\.\d+\.\d+\.", "an RDNet (rdnet_tiny and its like), a descendant of the DenseNet"),
        (r"(^|\.)denseblock_\d+\.denselayer_\d+\.", "a CondenseNet, a descendant of the DenseNet"),
        (
            r"(^|[./])(?<!features[./])(denseblock1\.denselayer1|stages\.0\.block\.0)\.(norm1|norm\.1|layers\.norm1)\.weight$",
            "a DenseNet's features without their classifier",
        ),
    ),
    # by the names that Keras makes of their classes; a DenseNet's own are max_pooling2d and average_pooling2d
    foreign_layers=(
        r"(max_pool|global_max_pooling2d|rescaling|resizing|center_crop|lambda|leaky_re_lu|p_re_lu|elu|thresholded_re_lu|"
        r"add|subtract|multiply|average|maximum|minimum|up_sampling2d|tf\..+|tf_op_layer_.+)(_\d+)?"
    ),
)  # fmt: skip
