"""A picture of an architecture: how many channels each of its dense layers reads, block by block, as SVG."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from densezoo.families import family_of
from densezoo.types import Architecture
from densezoo.types.computation import channels, sides

_WIDTH, _TOP, _BARS, _BOTTOM = 760, 26, 120, 44  # pixels: the whole, above the bars, the highest bar, below them
_GAP = 28  # between two blocks
_COLOUR, _TEXT = "#4c78a8", "#767676"  # both can be read on white and on black


@dataclass(frozen=True)
class Block:
    """One block of dense layers.

    Args:
        reads: input channels of each of its layers, in order.
        side: side of its feature maps in pixels.
    """

    reads: tuple[int, ...]
    side: int


def blocks(arch: Architecture, image_size: int) -> list[Block]:
    """The blocks of a network on a square image.

    Args:
        image_size: its side in pixels.
    """
    family = family_of(arch)
    computation = family.computation(arch)
    widths, maps = channels(computation), sides(computation, image_size, image_size)
    inputs = {node.weights[0].rpartition(".")[0]: node.inputs[0] for node in computation.nodes if node.weights}
    first = {
        (layer.block, layer.index): layer for layer in reversed([*family.layers(arch)]) if layer.block and layer.index
    }
    read = [(position[0], inputs[first[position].name]) for position in sorted(first)]
    return [
        Block(tuple(widths[name] for _, name in layers), maps[layers[0][1]][0])
        for layers in ([*group] for _, group in groupby(read, key=lambda pair: pair[0]))
    ]


def diagram(name: str, arch: Architecture, image_size: int) -> str:
    """The picture of an architecture.

    Args:
        name: of the architecture, for those who can't see it.
        image_size: side in pixels of the images that the map sizes belong to.
    """
    drawn = blocks(arch, image_size)
    highest = max(max(block.reads) for block in drawn)
    bar = (_WIDTH - _GAP * len(drawn)) / sum(len(block.reads) for block in drawn)
    parts, left = [], _GAP / 2
    for block in drawn:
        heights = [_BARS * reads / highest for reads in block.reads]
        bars = "".join(
            f"M{left + i * bar:.1f} {_TOP + _BARS}v{-height:.1f}h{max(bar - 1, 0.8):.1f}v{height:.1f}z"
            for i, height in enumerate(heights)
        )
        middle = left + bar * len(heights) / 2
        parts += [
            f'<path d="{bars}"/>',
            _text(middle, _TOP + _BARS - max(heights) - 8, f"{block.reads[0]} to {block.reads[-1]}"),
            _text(middle, _TOP + _BARS + 18, _layers(len(heights))),
            _text(middle, _TOP + _BARS + 35, f"{block.side}×{block.side}"),
        ]
        left += bar * len(heights) + _GAP
    height = _TOP + _BARS + _BOTTOM
    words = f"{name}: input channels of every dense layer, by block; below, layers and map size"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" '
        f'role="img" font-family="sans-serif" font-size="12" fill="{_COLOUR}">\n<title>{words}</title>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _layers(number: int) -> str:
    return f"{number} layer{'s' * (number != 1)}"


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" fill="{_TEXT}">{words}</text>'
