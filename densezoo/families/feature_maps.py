"""Feature maps of chosen stages, and what is known of each, in timm's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict

from torch import Tensor, nn

from densezoo.errors import ConfigError


class Stage(TypedDict):
    """A stage in timm's words: the module that ends it, channels, image side / map side, its number from 0."""

    module: str
    num_chs: int
    reduction: int
    index: int


@dataclass(frozen=True)
class FeatureInfo:
    """What the maps of `StageMaps` are, as timm's ``feature_info`` tells it.

    Its methods tell of each map that is returned, or of the stages in the list ``idx``; ``info[3]`` tells of one.

    Args:
        stages: every stage.
        out_indices: the stages whose maps are returned, ascending.
    """

    stages: tuple[Stage, ...]
    out_indices: tuple[int, ...]

    def channels(self, idx: Sequence[int] | None = None) -> list[int]:
        """Of each map."""
        return [stage["num_chs"] for stage in self._stages(idx)]

    def reduction(self, idx: Sequence[int] | None = None) -> list[int]:
        """Image side / map side of each map."""
        return [stage["reduction"] for stage in self._stages(idx)]

    def module_name(self, idx: Sequence[int] | None = None) -> list[str]:
        """The module of this network that ends each stage."""
        return [stage["module"] for stage in self._stages(idx)]

    def get_dicts(self, keys: Sequence[str] | None = None, idx: Sequence[int] | None = None) -> list[dict[str, object]]:
        """What is known of each map.

        Args:
            keys: some of those of `Stage`; None: all.
            idx: of stages.
        """
        every = [dict[str, object](stage) for stage in self._stages(idx)]
        return every if keys is None else [{key: stage[key] for key in keys} for stage in every]

    def _stages(self, idx: Sequence[int] | None) -> list[Stage]:
        return [self[index] for index in (self.out_indices if idx is None else idx)]

    def __getitem__(self, index: int) -> Stage:
        """Of one stage, whether its map is returned or not."""
        return self.stages[index]

    def __len__(self) -> int:
        return len(self.stages)


class StageMaps(nn.Module):
    """The base of a family's modules that give feature maps: what is known of each, and which are returned.

    Args:
        stages: (channels, image side / map side) of every stage.
        ends: the module that ends each.
    """

    def __init__(self, stages: Sequence[tuple[int, int]], ends: Sequence[str]) -> None:
        super().__init__()
        every = [
            Stage(module=module, num_chs=channels, reduction=reduction, index=index)
            for index, (module, (channels, reduction)) in enumerate(zip(ends, stages, strict=True))
        ]
        self.feature_info = FeatureInfo(tuple(every), tuple(range(len(every))))

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
