from __future__ import annotations

from typing import Any

import pytest

from densezoo.errors import ConfigError
from densezoo.families.densenet.architecture import DenseNetArchitecture


@pytest.mark.parametrize(
    "values",
    [
        {"growth_rate": 0},
        {"num_classes": -1},
        {"block_config": ()},
        {"block_config": (6, 0)},
        {"bn_size": 0},
        {"reduction": 0.0},
        {"reduction": 1.5},
        {"drop_rate": 1.0},
        {"bn_eps": 0.0},
        {"bn_eps": float("nan")},
        {"stem": "cifar", "aa_layer": "blurpool"},
    ],
)
def test_an_impossible_architecture_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        DenseNetArchitecture(**values)
