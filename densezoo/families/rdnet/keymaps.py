"""How each source names the tensors of an RDNet, and what it computes with them."""

from __future__ import annotations

from densezoo.families.rdnet.layers import CANONICAL_TEMPLATES
from densezoo.types import KeyMap, Param

_BOTH = {"weight": Param((".weight",)), "bias": Param((".bias",))}
_PARAMS = {"conv": _BOTH, "layer_norm": _BOTH, "linear": _BOTH, "gain": {"gamma": Param((".gamma",))}}
_TEMPLATES = {role: (name,) for role, name in CANONICAL_TEMPLATES.items()}
_EPS = "the head's norm has an epsilon of {}: the files of NAVER and timm are the same, their networks are not"

KEYMAPS = (
    # timm/models/rdnet.py: the canonical names
    KeyMap("timm-rdnet", _TEMPLATES, _PARAMS, {"head_norm_eps": 1e-6}, protocol="rdnet", notes=(_EPS.format("1e-6"),)),
    # https://github.com/naver-ai/rdnet rdnet/rdnet.py: line 32 has the head's norm with torch's epsilon
    KeyMap(
        "naver-rdnet",
        {**_TEMPLATES, "stem.conv": ("stem.stem.0",), "stem.norm": ("stem.stem.1",)},
        _PARAMS,
        {"head_norm_eps": 1e-5},
        protocol="rdnet",
        notes=(_EPS.format("1e-5"),),
    ),
)
