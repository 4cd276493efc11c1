from __future__ import annotations

import pytest

from densezoo.errors import ConfigError
from densezoo.families.rdnet.architecture import RDNetArchitecture


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"growth_rates": (64, 104)}, r"block_config is \(3, 3, 3, 3, 3, 3, 3\); expected .* for each of 2 stages"),
        ({"growth_rates": ()}, "growth_rates is"),
        ({"downsample": (0, 2)}, r"downsample is \(0, 2\); expected rising indexes of stages from 1 to 6"),
        ({"attention": (3, 2)}, "attention is"),
        ({"attention": (7,)}, "from 0 to 6"),
        ({"head_norm_eps": 0.0}, "head_norm_eps is 0.0; expected a positive number"),
        ({"norm_eps": float("nan")}, "norm_eps is nan"),
        ({"reduction": 1.5}, "reduction is 1.5"),
        ({"drop_path_rate": 1.0}, "drop_path_rate is 1.0"),
        ({"patch_size": 0}, "patch_size is 0; expected 1 or more"),
    ],
)
def test_what_no_rdnet_can_be(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RDNetArchitecture(**fields)  # type: ignore[arg-type]


def test_what_matters_in_training_alone_is_the_same_function() -> None:
    arch = RDNetArchitecture(drop_rate=0.1, drop_path_rate=0.4)
    assert arch.same_function() == RDNetArchitecture().same_function()
    other = RDNetArchitecture(head_norm_eps=1e-5)
    assert arch.same_function() != other.same_function()
