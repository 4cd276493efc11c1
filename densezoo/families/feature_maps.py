"""Feature maps of chosen stages, and what is known of each, in timm's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from densezoo.errors import ConfigError


@dataclass(frozen=True)
class FeatureInfo:
    """What the maps of `StageMaps` are, as timm's ``feature_info`` tells it.

    Args:
        stages: (channels, image side / map side) of every stage.
        out_indices: the stages whose maps are returned, ascending.
    """

    stages: tuple[tuple[int, int], ...]
    out_indices: tuple[int, ...]

    def channels(self) -> list[int]:
        """Of each map that is returned."""
        return [self.stages[index][0] for index in self.out_indices]

    def reduction(self) -> list[int]:
        """Image side / map side of each map that is returned."""
        return [self.stages[index][1] for index in self.out_indices]

    def get_dicts(self, keys: Sequence[str] = ("num_chs", "reduction", "index")) -> list[dict[str, int]]:
        """What is known of each map that is returned.

        Args:
            keys: some of "num_chs", "reduction" and "index".
        """
        return [{key: self[index][key] for key in keys} for index in self.out_indices]

    def __getitem__(self, index: int) -> dict[str, int]:
        """Of one stage, whether its map is returned or not."""
        channels, reduction = self.stages[index]
        return {"num_chs": channels, "reduction": reduction, "index": range(len(self))[index]}

    def __len__(self) -> int:
        return len(self.stages)


class StageMaps(nn.Module):
    """The base of a family's modules that give feature maps: what is known of each, and which are returned.

    Args:
        stages: (channels, image side / map side) of every stage.
    """

    def __init__(self, stages: Sequence[tuple[int, int]]) -> None:
        super().__init__()
        self.feature_info = FeatureInfo(tuple(stages), tuple(range(len(stages))))

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each map that is returned."""
        return tuple(self.feature_info.channels())

    @property
    def reductions(self) -> tuple[int, ...]:
        """Image side / map side of each map that is returned."""
        return tuple(self.feature_info.reduction())

    def choose(self, out_indices: Sequence[int]) -> StageMaps:
        """Return the maps of these stages alone; what comes after the last of them is not computed.

        Args:
            out_indices: of stages, from 0; negative ones count from the end.

        Raises:
            ConfigError: there is no such stage, or one is named twice.
        """
        stages = self.feature_info.stages
        chosen = [index + len(stages) if index < 0 else index for index in out_indices]
        if not chosen or len(set(chosen)) < len(chosen) or not all(0 <= index < len(stages) for index in chosen):
            raise ConfigError(
                f"out_indices is {list(out_indices)}; expected different ones of 0 to {len(stages) - 1}, the network's "
                f"{len(stages)} stages"
            )
        self.feature_info = FeatureInfo(stages, tuple(sorted(chosen)))
        return self

    def chosen(self, maps: list[Tensor]) -> list[Tensor]:
        """The maps that are returned.

        Args:
            maps: of every stage, up to the last that is returned.
        """
        return [maps[index] for index in self.feature_info.out_indices]

    def is_done(self, maps: list[Tensor]) -> bool:
        """Whether no further stage need be computed.

        Args:
            maps: of the stages so far.
        """
        return len(maps) > self.feature_info.out_indices[-1]
