from __future__ import annotations

import pytest

from densezoo.data.equality import AGAIN, ENOUGH, Comparisons
from densezoo.errors import DatasetError


def test_a_kind_is_trusted_after_enough_telling_images_and_compared_again() -> None:
    seen: Comparisons[str] = Comparisons("x")
    for telling in (False, True) * ENOUGH:
        assert not seen.trusts("a")
        seen.compared("a", equal=True, telling=telling, location="1")
    compared = 0
    for _ in range(3 * AGAIN):
        if not seen.trusts("a"):
            seen.compared("a", equal=True, telling=False, location="2")
            compared += 1
    assert compared == 3
    assert not seen.trusts("b")
    assert seen.kinds == (1, 0)


def test_a_difference_at_first_is_noted_and_later_an_error() -> None:
    seen: Comparisons[str] = Comparisons("x")
    for kind in ("a", "b"):
        for _ in range(ENOUGH - 1):
            seen.compared(kind, equal=True, telling=True, location="1")
    seen.compared("a", equal=True, telling=True, location="1")
    seen.compared("b", equal=False, telling=True, location="1")
    assert seen.kinds == (1, 1)
    with pytest.raises(DatasetError, match=r"9.jpg: x gives other pixels .* 8 images of its kind before; .*=own"):
        seen.compared("a", equal=False, telling=True, location="9.jpg")
