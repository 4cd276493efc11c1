"""The texts of model cards and listings on RDNets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from densezoo.families.base import Fact
from densezoo.families.rdnet.architecture import RDNetArchitecture

#: {name in ``--where`` and listings: (what it is, its value)}.
FIELDS: Mapping[str, tuple[str, Callable[[RDNetArchitecture], Fact]]] = {
    "layers": ("dense layers in all blocks", lambda arch: sum(arch.block_config)),
}

CITATION = """\
@inproceedings{kim2024densenets,
  title     = {DenseNets Reloaded: Paradigm Shift Beyond {ResNets} and {ViTs}},
  author    = {Kim, Donghyun and Heo, Byeongho and Han, Dongyoon},
  booktitle = {European Conference on Computer Vision},
  year      = {2024},
  url       = {https://arxiv.org/abs/2403.19588}
}"""


ABSTRACT = (
    "> Wider dense layers of modern parts and more transitions: networks that concatenate beat networks that add, "
    "again. [DenseNets Reloaded](https://arxiv.org/abs/2403.19588), ECCV 2024.\n"
)


def summary(arch: RDNetArchitecture) -> str:
    """What its paper says in one line, and how the network is built, one sentence on each line.

    Args:
        arch: the network.
    """
    rates = sorted(set(arch.growth_rates))
    halving = len(arch.downsample)
    return "\n".join(
        [
            ABSTRACT,
            f"An RDNet of {len(arch.block_config)} stages of dense layers, {sum(arch.block_config)} in all, after a "
            f"{arch.patch_size}x{arch.patch_size} convolution of stride {arch.patch_size}.",
            "A layer reads the feature maps of every layer before it in its stage: a depthwise 7x7 convolution, a "
            f"layer norm, and two 1x1 convolutions that add {rates[0]} to {rates[-1]} channels.",
            f"Before each stage but the first a convolution leaves {arch.reduction:.0%} of the channels; {halving} of "
            "them halve the map.",
        ]
    )
