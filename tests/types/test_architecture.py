"""What every family's architecture is, whatever else it holds."""

from __future__ import annotations

import dataclasses

import pytest

from densezoo.families import FAMILIES, families
from densezoo.types import Architecture

CLASSES = [family.architecture for family in families()]


@pytest.mark.parametrize("cls", CLASSES)
def test_a_family_s_architecture_is_a_value_with_the_shared_fields(cls: type[Architecture]) -> None:
    """It is a key of caches, and travels into results by its fields."""
    arch = cls()
    assert isinstance(arch, Architecture)
    assert cls.family in FAMILIES
    assert {"in_chans", "num_classes", "drop_rate"} <= {field.name for field in dataclasses.fields(cls)}
    assert hash(arch) == hash(cls())
    other = dataclasses.replace(arch, num_classes=arch.num_classes + 1)
    assert other != arch
    with pytest.raises(dataclasses.FrozenInstanceError):
        arch.num_classes = 3  # type: ignore[misc]


def test_no_two_families_share_a_name() -> None:
    assert [cls.family for cls in CLASSES] == FAMILIES
