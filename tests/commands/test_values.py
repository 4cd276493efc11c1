"""Values of options are read from text, or refused with what was expected."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.commands import values


@given(st.integers(0, 10**9))
def test_whole_numbers(number: int) -> None:
    assert values.count(str(number)) == number
    if number:
        assert values.positive(str(number)) == number


@given(st.integers(max_value=-1).map(str) | st.floats().map(str) | st.text().filter(lambda text: not text.isdecimal()))
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    for parse in (values.count, values.positive):
        with pytest.raises(argparse.ArgumentTypeError, match="is no whole number of 0 or more"):
            parse(text)


def test_nothing_at_all_is_too_few_images_a_step() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="0 is too few; expected 1 or more"):
        values.positive("0")


def test_names_and_named_paths() -> None:
    assert values.names("own,,timm") == ["own", "timm"]
    name, path = values.named_path("imagenet1k=data/a=b")
    assert (name, path) == ("imagenet1k", values.absolute("data/a=b"))
    assert path.is_absolute()
    for text in ("imagenet1k", "imagenet1k=", "=data"):
        with pytest.raises(argparse.ArgumentTypeError, match="is not NAME=PATH"):
            values.named_path(text)
