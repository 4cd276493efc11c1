"""Dense connections in modern layers: DenseNets Reloaded, Kim, Heo, Han, https://arxiv.org/abs/2403.19588."""

from __future__ import annotations

from densezoo.families.base import Family
from densezoo.families.rdnet.architecture import RDNetArchitecture

FAMILY = Family(
    title="RDNet",
    architecture=RDNetArchitecture,
    anchor=("layer.depthwise", 1, 1),
    inferred=(
        "growth_rates", "block_config", "num_init_features", "expansion", "reduction", "patch_size", "downsample",
        "attention", "in_chans", "num_classes",
    ),
    sizes=("growth_rates", "block_config"),
    head=("final.norm", "classifier"),
)  # fmt: skip
