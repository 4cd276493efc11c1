from __future__ import annotations

import inspect

import pytest

from densezoo import errors
from densezoo.errors import DensezooError, UnknownNameError


def test_the_docstring_draws_every_error() -> None:
    assert errors.__doc__ is not None
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass) if issubclass(c, DensezooError)]
    assert len(classes) > 5
    for cls in classes:
        assert cls.__name__ in errors.__doc__, cls


@pytest.mark.parametrize(
    ("name", "end"),
    [("torchvison", "; did you mean 'torchvision'?"), ("zzz", "; known: timm, torchvision")],
)
def test_an_unknown_name_suggests(name: str, end: str) -> None:
    assert str(UnknownNameError("protocol", name, ["torchvision", "timm"])) == f"there is no protocol {name!r}{end}"
