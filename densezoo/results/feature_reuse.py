"""How strongly each layer of a block reads each earlier one: figure 5 of the paper, of any network with dense blocks.

"The color of pixel (s, l) encodes the average L1 norm (normalized by number of input feature-maps) of the weights
connecting convolutional layer s to l within a dense block" (https://arxiv.org/abs/1608.06993, figure 5). Here that is
the sum of the absolute weights of l's convolution that take maps of s, over the number of its filters and of the maps
of s. The paper's colours go from 0 to 1, and it doesn't say of what. Here 1 is the largest value of each column, that
is of each reading layer, since convolutions of 1x1 and of 3x3 can't be compared otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezoo.errors import ConfigError
from densezoo.families import family_of
from densezoo.results.figures import Axes, Theme, drawing, write_figure
from densezoo.types import Architecture, Layer

Norms = NDArray[np.float64]


@dataclass(frozen=True)
class Reuse:
    """Who reads whom in one block.

    Args:
        norms: (sources, readers) mean L1 norms; NaN where a reader comes before the source. The sources are the block's
            input and its layers, the readers its layers and what comes after the block.
        after: what comes after: "transition" or "classifier".
    """

    norms: Norms
    after: str

    def of_largest(self) -> Norms:
        """The norms, each reader's over its largest: 0 to 1."""
        largest: Norms = self.norms / np.maximum(np.nanmax(self.norms, 0, keepdims=True), np.finfo(np.float64).tiny)
        return largest


def feature_reuse(arch: Architecture, weights: Mapping[str, Tensor]) -> list[Reuse]:
    """What each block's layers, and what comes after them, read of the block.

    Args:
        arch: of the network, of any family.
        weights: {canonical name: tensor}.
    """
    return [_reuse(readers, weights) for readers in _readers(arch)]


def _readers(arch: Architecture) -> list[list[Layer]]:
    """Per block the convolutions that mix the channels of all that is there: of each layer, and of what comes after."""
    blocks: list[list[Layer]] = [[]]
    seen: set[tuple[int, int]] = set()
    for layer in family_of(arch).layers(arch):
        word, position = layer.role.partition(".")[0], (layer.block, layer.index)
        if layer.kind not in ("conv", "linear") or layer.groups != 1 or word == "stem" or position in seen:
            continue
        blocks[-1].append(layer)
        if word == "layer":
            seen.add(position)  # of a layer's convolutions the first one reads
        else:
            blocks.append([])
    return [block for block in blocks if block]


def _reuse(readers: Sequence[Layer], weights: Mapping[str, Tensor]) -> Reuse:
    """Of one block.

    Args:
        readers: its layers' reading convolutions and what comes after, in order.
        weights: {canonical name: tensor}.
    """
    ends = [0, *(layer.shapes["weight"][1] for layer in readers)]
    norms = np.full((len(readers), len(readers)), np.nan)
    for column, reader in enumerate(readers):
        weight = weights[f"{reader.name}.weight"].detach().double().abs()
        per_map = weight.reshape(*weight.shape[:2], -1).sum(2).mean(0)  # L1 norm of a filter's part, mean over filters
        for row in range(column + 1):
            norms[row, column] = float(per_map[ends[row] : ends[row + 1]].mean())
    return Reuse(norms, "classifier" if readers[-1].kind == "linear" else "transition")


def draw_feature_reuse(path: Path, blocks: Sequence[Reuse], title: str, theme: str = "light") -> None:
    """Draw figure 5: a heat map a block, readers to the right, sources downwards.

    Args:
        path: the file to write; its extension chooses the format.
        blocks: of `feature_reuse`.
        title: of the diagram.
        theme: of `densezoo.results.figures.THEMES`.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot; a network without dense blocks.
    """
    if not blocks:
        raise ConfigError(f"{title}: expected a network with dense blocks, found none")
    columns = 2 if len(blocks) == 4 else min(len(blocks), 3)
    rows = -(-len(blocks) // columns)
    with drawing(0.95 + rows * (6.9 / columns + 0.3), theme) as (figure, colours):
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for number, (axes, block) in enumerate(zip(grid, blocks), 1):
            drawn = axes.imshow(block.of_largest(), cmap=colours.heat, vmin=0, vmax=1, interpolation="nearest")
            axes.set_title(f"block {number}", fontsize=9.5)
            _name_axes(axes, block, colours)
        for axes in grid[len(blocks) :]:
            axes.set_axis_off()
        bar = figure.colorbar(drawn, ax=list(grid), location="bottom", shrink=0.5, aspect=40, pad=0.02)
        bar.set_label("mean absolute weight, of the reading layer's largest")
        figure.suptitle(title)
        write_figure(path, figure)


def _name_axes(axes: Axes, block: Reuse, colours: Theme) -> None:
    """Numbers of the layers at both axes; the last column, set off, is the transition or the classifier."""
    size = len(block.norms)
    step = max(1, -(-size // 8))
    layers = list(range(step, size, step)) or [1]
    letter = block.after[0].upper()
    readers = [layer for layer in layers if size - layer > size / 14]  # the others have no room beside the letter
    axes.set_xticks([*(layer - 1 for layer in readers), size - 1], [*readers, letter])
    axes.set_yticks([0, *layers], ["input", *layers])
    axes.set(xlabel=f"reading layer; {letter}: {block.after}", ylabel="source layer")
    axes.tick_params(length=2)
    axes.axvline(size - 1.5, color=colours.background, linewidth=4)
