"""A key table applied to one file: the file's names and shapes for the roles of a family's layers."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from densezoo.families.base import Family, Position
from densezoo.families.operations import OPERATIONS
from densezoo.types import LONE_MATRIX, KeyMap, Param
from densezoo.types.architecture import MAX_LAYERS


@dataclass(frozen=True)
class Naming:
    """A key table applied to one file, with the file's prefix and its choice among alternative names.

    Args:
        family: of the table.
        keymap: the table.
        prefix: the text before each of the source's names in the file.
        tensors: {name in the file: tensor}.
        ranks: {role, block, layer: rank among the layers of its kind}, for sources that number and don't name.
    """

    family: Family[Any]
    keymap: KeyMap
    prefix: str
    tensors: Mapping[str, Tensor]
    ranks: Mapping[Position, int] = field(default_factory=dict)

    def keys(self, role: str, param: str, block: int = 0, layer: int = 0) -> tuple[str, ...] | None:
        """The file's names for the tensors that a parameter is made of; None if the source has no such parameter.

        Args:
            role, block, layer: `Layer.role`, `Layer.block` and `Layer.index`.
            param: the parameter or running statistic.
        """
        names = self.alternatives(role, param, block, layer)
        return next((keys for keys in names if keys[0] in self.tensors), names[0] if names else None)

    def alternatives(self, role: str, param: str, block: int = 0, layer: int = 0) -> list[tuple[str, ...]]:
        """All names that the source may have for these tensors, of which a file uses one; empty: no such parameter.

        Args:
            role: the layer's role in the network.
            param: the parameter or running statistic.
            block, layer: numbers of the block and of the layer in it; 0 where there is one.
        """
        params = self.params(role)
        if role not in self.keymap.templates or param not in params:
            return []
        numbers = self.family.numbers(block, layer, self.ranks.get((role, block, layer), -1))
        templates = self.keymap.templates[role]
        stems = [f"{self.prefix}{template.format(**numbers)}" for template in templates if template != LONE_MATRIX]
        if LONE_MATRIX in templates:
            stems += self._lone_matrix(params["weight"].ends[0])
        return [tuple(f"{stem}{end}" for end in params[param].ends) for stem in stems]

    def params(self, role: str) -> Mapping[str, Param]:
        """{parameter or statistic: how it is made} of a role's layers.

        Args:
            role: of the layers.
        """
        return self.keymap.params.get(role, self.keymap.params.get(self.family.kind_of(role), {}))

    def _lone_matrix(self, end: str) -> list[str]:
        """The only layer of the file whose weight is a matrix, as a list; empty if there are several."""
        matrices = [name for name, tensor in self.tensors.items() if tensor.ndim == 2 and name.endswith(end)]
        return [matrices[0].removesuffix(end)] if len(matrices) == 1 else []

    def shape(self, role: str, block: int = 0, layer: int = 0) -> tuple[int, ...] | None:
        """The shape of a layer's canonical weight; None if the file lacks it or it can't be made.

        Args:
            role, block, layer: `Layer.role`, `Layer.block` and `Layer.index`.
        """
        keys = self.keys(role, "weight", block, layer)
        if keys is None or any(key not in self.tensors for key in keys):
            return None
        return self.made_shape(role, "weight", keys)

    def side(self, role: str, axis: int, default: int, block: int = 0, layer: int = 0) -> int:
        """The length of one axis of a layer's canonical weight.

        Args:
            role, block, layer: `Layer.role`, `Layer.block` and `Layer.index`.
            axis: of the weight.
            default: the result if the file has no such axis, or an empty one.
        """
        shape = self.shape(role, block, layer)
        return shape[axis] if shape is not None and len(shape) > axis and shape[axis] > 0 else default

    def depths(self, role: str) -> tuple[int, ...]:
        """The number of consecutive layers that the file names, for each block.

        Args:
            role: a role that every layer of a block has.
        """
        depths: list[int] = []
        while sum(depths) < MAX_LAYERS:
            numbers = range(1, MAX_LAYERS - sum(depths) + 1)
            present = (self.shape(role, len(depths) + 1, layer) is not None for layer in numbers)
            depth = sum(1 for _ in itertools.takewhile(bool, present))
            if depth == 0:
                break
            depths.append(depth)
        return tuple(depths)

    def made_shape(self, role: str, param: str, keys: tuple[str, ...]) -> tuple[int, ...] | None:
        """The shape of a parameter that is made from tensors of the file; None if it can't be made.

        Args:
            role: of the layer.
            param: the parameter or running statistic.
            keys: the file's names of the tensors.
        """
        try:
            tensor = self.make(role, param, [self.tensors[key].to("meta") for key in keys])
        except (RuntimeError, IndexError, ValueError):
            return None
        return tuple(tensor.shape)

    def make(self, role: str, param: str, tensors: list[Tensor]) -> Tensor:
        """Make a canonical parameter from the source's tensors.

        Args:
            role: of the layer.
            param: the parameter or running statistic.
            tensors: in the order of `Param.ends`.
        """
        return OPERATIONS[self.params(role)[param].op](*tensors)

    def ranked(self, ranks: Mapping[Position, int]) -> Naming:
        """A copy with other ranks.

        Args:
            ranks: {role, block, layer: rank among the layers of its kind}.
        """
        return dataclasses.replace(self, ranks=ranks)
