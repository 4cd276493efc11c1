from __future__ import annotations

from typing import Any

import pytest

from densezoo.errors import ConfigError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.types import Protocol, WeightSource


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


@pytest.mark.parametrize(
    "values",
    [
        {"mean": (0.5,)},
        {"std": (1.0, 1.0)},
        {"resize": 256},
        {"interpolation": "bilinear"},
        {"crop": 224},
        {"crop": 224, "resize": 200, "interpolation": "bilinear"},
    ],
)
def test_an_impossible_protocol_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="protocol 'p'"):
        Protocol(**{"name": "p", "source": "", "mean": (0.0,) * 3, "std": (1.0,) * 3, **values})


def test_a_file_is_recognised_by_its_whole_sha256_or_by_the_published_prefix() -> None:
    digest = "deaefd08" + "0" * 56
    assert WeightSource("torch", "pickle", sha256=digest).is_file(digest)
    assert not WeightSource("torch", "pickle", sha256=digest).is_file("deaefd08" + "1" * 56)
    assert WeightSource("torch", "pickle", hash_prefix="deaefd08").is_file(digest)
    assert not WeightSource("torch", "pickle", hash_prefix="deaefd09").is_file(digest)
    assert not WeightSource("torch", "pickle").is_file(digest)
