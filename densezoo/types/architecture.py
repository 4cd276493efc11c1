"""What fixes a network's function up to its weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import Field
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from densezoo.errors import ConfigError

A = TypeVar("A", bound="Architecture")

MAX_LAYERS = 1000  # of all blocks: there is a DenseNet-1001, with two convolutions a layer
MAX_CHANNELS = 1 << 20  # of any layer: a million, or as many classes


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


def check_size(num_layers: int, channels: Mapping[str, float]) -> None:
    """Refuse an architecture that is no network's, before anything is made for each of its layers.

    Args:
        num_layers: of all blocks.
        channels: {the fields that they come from: how many a layer of the network has at the most}.

    Raises:
        ConfigError: it is larger than any network that can be meant.
    """
    if num_layers > MAX_LAYERS:
        raise ConfigError(f"block_config is of {num_layers:,} layers; expected {MAX_LAYERS:,} at the most")
    for fields, count in channels.items():
        if count > MAX_CHANNELS:
            raise ConfigError(f"{fields}: {count:,} channels; expected {MAX_CHANNELS:,} at the most")
