from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.index.load import load_index
from densezoo.index.search import nearest_name, normal, respelled, search

SPECS = tuple(load_index().values())
NAMES = [name for spec in SPECS for name in (spec.name, *spec.aliases, spec.arch)]


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("densenet121", "densenet121"),
        ("DenseNet121", "densenet121"),
        ("densenet-121", "densenet121"),
        ("DenseNet 121", "densenet121"),
        ("densnet121", "densenet121"),
        ("Densnet-121.TV_in1k", "densenet121.tv_in1k"),
        ("DenseNet-BC (100, 12)", "densenet_bc_100_12"),
        ("DenseNet-BC (L=100, k=12)", "densenet_bc_100_12"),
        ("DenseNet (L=40, k=12)", "densenet_40_12"),
        ("Wide-DenseNet-BC (L=40,k=36)", "wide_densenet_bc_40_36"),
        ("rdnet-tiny", "rdnet_tiny"),
        ("blur", "densenetblur121d.ra_in1k"),
        ("tv_in1k", "densenet121.tv_in1k"),
        ("desnenet20[0-9]", "densenet201"),
    ],
)
def test_what_was_meant_is_among_the_found(typed: str, first: str) -> None:
    assert first in search(typed, NAMES)


@pytest.mark.parametrize(
    "typed",
    ["densenet122", "densenet12", "densenet1210", "dense121", "resnet50", "condensenet121", "", "zzz", "rdnet12"],
)
def test_another_number_or_another_network_finds_nothing(typed: str) -> None:
    assert search(typed, NAMES) == []
    assert nearest_name(typed, NAMES) is None


def test_the_strictest_reading_that_finds_something_counts() -> None:
    names = ["densenet_40_12", "densenet4012", "DENSENET_40_12x"]
    assert search("densenet_40_12", names) == ["densenet_40_12"]
    assert search("densenet_4*", names) == ["densenet_40_12", "DENSENET_40_12x"]
    assert search("densenet-40-12", names) == ["densenet_40_12"]  # 40 and 12 stay two numbers
    assert search("net4012", names) == ["densenet4012"]


def test_no_two_architectures_are_the_same_without_separators() -> None:
    architectures = {spec.arch for spec in SPECS}
    assert len({normal(arch) for arch in architectures}) == len(architectures)


def test_each_name_finds_itself() -> None:
    for name in NAMES:
        assert name in search(name, NAMES)
        assert name in search(normal(name), NAMES)
        assert nearest_name(name, NAMES) == name


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("densenet121.tv_in1", "densenet121.tv_in1k"),
        ("DenseNet264", "densenet264"),
        ("densnet_bc_100_12.dice_cifr10", "densenet_bc_100_12.dice_cifar10"),
    ],
)
def test_the_nearest_name(typed: str, meant: str) -> None:
    assert nearest_name(typed, NAMES) == meant


@given(st.text(alphabet="densetrx_-.*?[]0129 ", max_size=20))
def test_numbers_stay_as_they_are(typed: str) -> None:
    numbers = [c for c in typed if c.isdecimal()]
    assert [c for c in respelled(typed, NAMES) if c.isdecimal()] == numbers
    search(typed, NAMES)
