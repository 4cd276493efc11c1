"""Names the network of a file that densezoo doesn't convert, by tensor names that only such networks have."""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor

from densezoo.families import families

#: (pattern that a tensor's name of such a network matches, the network), tried in order, after those of the families.
NETWORKS = (
    (r"(^|\.)stages\.\d+\.blocks\.\d+\.conv_concat\.", "a VoVNet"),
    (r"(^|\.)conv\d_\d+\.c1x1_w", "a dual path network (DPN)"),
    (r"relative_position_bias_table$", "a Swin transformer"),
    (r"(^|\.)(attn\.qkv|self_attention\.in_proj_weight|attention\.attention\.query)", "a vision transformer (ViT)"),
    (r"(^|\.)stages\.\d+\.blocks\.\d+\.(conv_dw|dwconv)\.", "a ConvNeXt"),
    (r"(^|\.)blocks\.\d+\.\d+\.conv_(dw|pw|pwl)\.", "an EfficientNet or a MobileNet"),
    (r"(^|\.)Mixed_\d[a-z]\.", "an Inception"),
    (r"(^|\.)branches\.\d+\.\d+\.conv1\.", "an HRNet"),
    (r"(^|\.)layer[1-4]\.\d+\.(conv1|bn1)\.", "a ResNet"),
    (r"(^|/)conv\d_block\d+_3_(conv|bn)/", "a ResNet"),
    (r"(^|\.)s[1-4]\.b\d+\.(conv1|se)\.", "a RegNet"),
    (r"^features\.\d+\.weight$", "a network of plain layers (VGG, AlexNet)"),
    (
        r"^\d+(\.\d+)*\.(weight|running_mean)$",
        "a network of numbered modules, as a nested nn.Sequential made of a Torch7 file has (that file can be read)",
    ),
)
_SIDES = {3: "one dimension (signals)", 5: "three dimensions (volumes, videos)"}
_KERNEL = re.compile(r"conv[^./]*(\.\d+|\.conv)?[./](weight|kernel(:0)?)")


def name_network(tensors: Mapping[str, Tensor]) -> str | None:
    """The network that the tensors are of, such as "a ResNet"; None if their names don't tell.

    Args:
        tensors: {name in the file: tensor}.
    """
    rows = [*(fragment for family in families() for fragment in family.fragments), *NETWORKS]
    return next((title for pattern, title in rows if any(map(re.compile(pattern).search, tensors))), None)


def other_dimensions(tensors: Mapping[str, Tensor]) -> str | None:
    """What shows that the convolutions are over one or three dimensions; None if nothing does.

    Args:
        tensors: {name in the file: tensor}.
    """
    for name, tensor in tensors.items():
        if tensor.ndim == 5 or (tensor.ndim == 3 and _KERNEL.search(name)):
            return f"a network over {_SIDES[tensor.ndim]}: the kernel {name} has the shape {tuple(tensor.shape)}"
    return None
