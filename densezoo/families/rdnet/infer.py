"""The architecture of an RDNet from its tensors' names and shapes."""

from __future__ import annotations

from densezoo.families.naming import Naming
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.layers import rounded_down


def infer_architecture(naming: Naming) -> RDNetArchitecture:
    """The architecture that the tensors' names and shapes show; a field whose tensor is absent has its default.

    Args:
        naming: the key table as the file uses it.
    """
    default = RDNetArchitecture()
    depths = naming.depths("layer.depthwise") or (1,)
    blocks = range(1, len(depths) + 1)
    return RDNetArchitecture(
        growth_rates=tuple(naming.side("layer.reduce", 0, 1, block, 1) for block in blocks),
        block_config=depths,
        num_init_features=naming.side("stem.conv", 0, default.num_init_features),
        expansion=_factor(naming, "layer.expand", [(block, 1) for block in blocks], default.expansion),
        reduction=_factor(naming, "transition.conv", [(block, 0) for block in blocks[1:]], default.reduction),
        patch_size=naming.side("stem.conv", 2, default.patch_size),
        downsample=tuple(block - 1 for block in blocks[1:] if naming.side("transition.conv", 2, 1, block) == 2),
        attention=tuple(block - 1 for block in blocks if naming.shape("layer.attention", block, 1)),
        in_chans=naming.side("stem.conv", 1, default.in_chans),
        num_classes=naming.side("classifier", 0, default.num_classes),
    )


def _factor(naming: Naming, role: str, positions: list[tuple[int, int]], default: float) -> float:
    """Channels after / channels before of all convolutions of a role; the default if they agree with it."""
    shapes = (naming.shape(role, *position) for position in positions)
    sides = [(shape[1], shape[0]) for shape in shapes if shape is not None and len(shape) == 4 and shape[1] > 0]
    factors = [default] + [max(after, 1) / before for before, after in sides]
    fits = (factor for factor in factors if all(rounded_down(before * factor) == after for before, after in sides))
    factor = next(fits, default)
    return factor if role == "layer.expand" else min(factor, 1.0)
