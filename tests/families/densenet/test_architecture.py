"""What a DenseNet may be, and what of it is one function in two spellings."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from densezoo.errors import ConfigError
from densezoo.families.densenet.architecture import STEMS, DenseNetArchitecture, Stem


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"growth_rate": 0}, "growth_rate is 0; expected 1 or more"),
        ({"num_classes": -1}, "num_classes is -1; expected 1 or more"),
        ({"block_config": ()}, r"block_config is \(\); expected one or more blocks of 1 or more layers"),
        ({"block_config": (6, 0)}, r"block_config is \(6, 0\)"),
        ({"bn_size": 0}, "bn_size is 0; expected 1 or more, or None for no bottleneck"),
        ({"reduction": 0.0}, "reduction is 0.0; expected more than 0 and at most 1"),
        ({"reduction": 1.1}, "reduction is 1.1"),
        ({"drop_rate": 1.0}, "drop_rate is 1.0; expected 0 or more and less than 1"),
        ({"bn_eps": 0.0}, "bn_eps is 0.0; expected a small positive number"),
        ({"bn_eps": float("inf")}, "bn_eps is inf"),
        ({"bn_eps": float("nan")}, "bn_eps is nan"),
        ({"head_pool": 0}, "head_pool is 0; expected 1 or more, or None for the whole map"),
        ({"aa_layer": "blurpool", "stem": "cifar"}, "aa_layer with stem 'cifar' needs aa_stem_only=False"),
        ({"aa_layer": "blurpool", "ceil_mode": True}, "aa_layer replaces the pools"),
        ({"aa_layer": "blurpool", "pool_padding": "same"}, "aa_layer replaces the pools"),
    ],
)
def test_what_no_densenet_can_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        DenseNetArchitecture(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"reduction": 1.0, "bn_size": None, "drop_rate": 0.0, "head_pool": 1},
        {"aa_layer": "blurpool", "stem": "cifar", "aa_stem_only": False},
        {"aa_layer": "blurpool", "stem": "deep"},
    ],
)
def test_the_edges_of_what_one_can_be(fields: dict[str, Any]) -> None:
    arch = DenseNetArchitecture(**fields)
    assert dataclasses.replace(arch) == arch


#: {stem: (image side / map side before its pool, in the first block)}, counted by hand.
REDUCTIONS: dict[Stem, tuple[int, int]] = {
    "imagenet": (2, 4), "deep": (2, 4), "cifar": (1, 1), "cifar_norm": (1, 1), "cifar_pool": (1, 2)
}  # fmt: skip


def test_how_much_smaller_each_stem_makes_the_map() -> None:
    assert {name: (stem.stride, stem.reduction) for name, stem in STEMS.items()} == REDUCTIONS


def test_what_matters_in_training_alone_and_two_spellings_are_one_function() -> None:
    plain = DenseNetArchitecture()
    assert dataclasses.replace(plain, drop_rate=0.2).same_function() == plain.same_function()
    for ceil_mode in (True, False):
        arch = dataclasses.replace(plain, ceil_mode=ceil_mode)
        spelled = dataclasses.replace(arch, stem_ceil_mode=ceil_mode)
        assert arch.same_function() == spelled.same_function()
        assert arch.same_function() != dataclasses.replace(arch, stem_ceil_mode=not ceil_mode).same_function()
    for field, value in (("bn_eps", 1e-3), ("head_pool", 7), ("transition_pool", "max"), ("aa_layer", "blurpool")):
        changed = dataclasses.replace(plain, **{field: value})  # type: ignore[arg-type]  # of its own type each
        assert changed.same_function() != plain.same_function(), field
