"""densezoo: DenseNet weights found, converted, measured and compared. Importing it imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezoo import api
from densezoo import errors as errors
from densezoo import types as types
from densezoo.api import __all__ as __all__

if TYPE_CHECKING:
    from densezoo.api import *  # noqa: F403  what type checkers see; Python takes each name when it is first used

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """The public function of that name.

    Raises:
        AttributeError: there is none.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(api, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
