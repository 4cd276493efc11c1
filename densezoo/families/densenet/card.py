"""The texts of model cards and listings on DenseNets."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from densezoo.families.base import Fact
from densezoo.families.densenet.architecture import DenseNetArchitecture

#: {name in ``--where`` and listings: (what it is, its value)}.
FIELDS: Mapping[str, tuple[str, Callable[[DenseNetArchitecture], Fact]]] = {
    "growth_rate": ("channels that a layer adds", lambda arch: arch.growth_rate),
    "layers": ("dense layers in all blocks", lambda arch: sum(arch.block_config)),
}

CITATION = """\
@inproceedings{huang2017densely,
  title     = {Densely Connected Convolutional Networks},
  author    = {Huang, Gao and Liu, Zhuang and van der Maaten, Laurens and Weinberger, Kilian Q.},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition},
  year      = {2017},
  url       = {https://arxiv.org/abs/1608.06993}
}"""


ABSTRACT = (
    "> Every layer of a block is connected to every later one, so that features are reused and fewer parameters are "
    "needed. [Densely Connected Convolutional Networks](https://arxiv.org/abs/1608.06993), CVPR 2017.\n"
)


def summary(arch: DenseNetArchitecture) -> str:
    """What its paper says in one line, and how the network is built, one sentence on each line.

    Args:
        arch: the network.
    """
    blocks = ", ".join(map(str, arch.block_config[:-1])) + f" and {arch.block_config[-1]}"
    text = [
        ABSTRACT,
        f"A DenseNet of growth rate {arch.growth_rate}: dense blocks of {blocks} layers after "
        f"{arch.stem_layout.words}.",
        "A layer reads the feature maps of every layer before it in its block and adds "
        f"{arch.growth_rate} channels of its own.",
    ]
    if arch.bn_size is not None:
        text.append(f"It narrows its input to {arch.bn_size * arch.growth_rate} channels before its 3x3 convolution.")
    text.append(
        f"Between two blocks a 1x1 convolution leaves {arch.reduction:.0%} of the channels, and pooling a quarter of "
        "the positions."
    )
    if arch.aa_layer is not None:
        where = "in the stem" if arch.aa_stem_only else "there and in the stem"
        text.append(f"Pooling {where} is a blur of stride 2 against aliasing (https://arxiv.org/abs/1904.11486).")
    return "\n".join(text)
