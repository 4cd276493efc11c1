"""How each source names the tensors of an RDNet, and what it computes with them."""

from __future__ import annotations

from densezoo.families.rdnet.layers import CANONICAL_TEMPLATES, numbers
from densezoo.types import KeyMap, Param

__all__ = ["KEYMAPS", "numbers"]

_BOTH = {"weight": Param((".weight",)), "bias": Param((".bias",))}
_PARAMS = {"conv": _BOTH, "layer_norm": _BOTH, "linear": _BOTH, "gain": {"gamma": Param((".gamma",))}}
_TEMPLATES = {role: (name,) for role, name in CANONICAL_TEMPLATES.items()}
_EPS = "of the same files NAVER's code makes a network with an epsilon of 1e-5 in the head's norm, timm's one with 1e-6"

KEYMAPS = (
    # timm/models/rdnet.py: the canonical names, and the architecture's defaults; also of what densezoo trains
    KeyMap("timm-rdnet", _TEMPLATES, _PARAMS, protocol="rdnet", notes=(_EPS,)),
    # https://github.com/naver-ai/rdnet rdnet/rdnet.py: line 32 has the head's norm with torch's epsilon
    KeyMap(
        "naver-rdnet",
        {**_TEMPLATES, "stem.conv": ("stem.stem.0",), "stem.norm": ("stem.stem.1",)},
        _PARAMS,
        {"head_norm_eps": 1e-5},
        protocol="rdnet",
        notes=(_EPS,),
    ),
)
