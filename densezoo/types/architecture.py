"""What fixes a network's function up to its weights."""

from __future__ import annotations

import dataclasses
from dataclasses import Field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

A = TypeVar("A", bound="Architecture")


class Architecture:
    """The base of every family's frozen dataclass of that name.

    Args:
        in_chans: channels of the input image.
        num_classes: rows of the classifier.
        drop_rate: dropout in training, which no prediction depends on.
    """

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    family: ClassVar[str]  # the name of its folder in `densezoo.families`

    def same_function(self: A) -> A:
        """The architecture with one spelling of all that give the same outputs, to compare two."""
        return dataclasses.replace(self, drop_rate=0.0)

    if TYPE_CHECKING:  # each a field of every family's

        @property
        def in_chans(self) -> int: ...
        @property
        def num_classes(self) -> int: ...
        @property
        def drop_rate(self) -> float: ...
