"""A picture with what speaks for a class laid over it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezoo.results.figures import drawing, write_figure

Pixels = NDArray[np.uint8]
_SMALLEST = 320  # pixels of the side of a picture that stands alone
_OVERLAY = 0.55  # how much of the heat map's colour covers the picture where all speaks for the class
#: What the heat is drawn in: the colours at 0, 1/4, 1/2, 3/4 and 1, each brighter than the one before.
_COLOURS = np.array([(0, 0, 20), (85, 15, 110), (187, 55, 84), (249, 142, 9), (252, 255, 164)], np.float32)


def enlarged(heat: NDArray[np.float32], height: int, width: int) -> NDArray[np.float32]:
    """The heat map in another size, 0 to 1, between its points linearly.

    Args:
        heat: (h, w), 0 to 1.
        height, width: in pixels.
    """
    larger = Image.fromarray(heat.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(larger).clip(0, 1)


def coloured(heat: NDArray[np.float32]) -> Pixels:
    """The heat map's colours (H, W, 3).

    Args:
        heat: (H, W), 0 to 1.
    """
    stops = np.linspace(0, 1, len(_COLOURS))
    channels = [np.interp(heat, stops, _COLOURS[:, channel]) for channel in range(3)]
    colours: Pixels = np.stack(channels, -1).round().astype(np.uint8)
    return colours


def _mixed(pixels: Pixels, heat: NDArray[np.float32]) -> Pixels:
    """The picture with the heat map over it: the more of its colour, the more a part speaks for the class."""
    larger = enlarged(heat, *pixels.shape[:2])
    picture = pixels if pixels.ndim == 3 else np.stack([pixels] * 3, -1)
    share = _OVERLAY * np.sqrt(larger)[..., None]  # a little heat is seen, too
    mixed: Pixels = ((1 - share) * picture + share * coloured(larger)).round().astype(np.uint8)
    return mixed


def overlaid(pixels: Pixels, heat: NDArray[np.float32]) -> bytes:
    """The picture with the heat map over it, as a PNG; a small one is enlarged.

    Args:
        pixels: (H, W, 3) or (H, W).
        heat: (h, w), 0 to 1.
    """
    times = max(1, -(-_SMALLEST // max(pixels.shape[:2])))
    buffer = BytesIO()
    Image.fromarray(_mixed(pixels.repeat(times, 0).repeat(times, 1), heat)).save(buffer, "PNG")
    return buffer.getvalue()


def draw_heat_map(
    path: Path, pixels: Pixels, heat: NDArray[np.float32], answer: str, layer: str, theme: str = "light"
) -> None:
    """Draw what the network got of a picture, and the heat map over it.

    Args:
        path: the file to write; its extension chooses the format.
        pixels: (H, W, 3) or (H, W).
        heat: (h, w), 0 to 1.
        answer: the class and its probability, in words.
        layer: whose maps were used.
        theme: of `densezoo.results.figures.THEMES`.

    Raises:
        MissingDependencyError: no matplotlib.
        ResultError: the file can't be written.
        ConfigError: not the extension of a plot.
    """
    height, width = pixels.shape[:2]
    with drawing(0.45 + 3.75 * height / width, theme) as (figure, colours):
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap

        plain, warm = figure.subplots(1, 2)
        times = max(1, -(-_SMALLEST // max(pixels.shape[:2])))
        large = pixels.repeat(times, 0).repeat(times, 1)
        plain.imshow(large, cmap="gray", vmin=0, vmax=255)
        warm.imshow(_mixed(large, heat))
        for axes, words in ((plain, f"what the network gets: {width} x {height} px"), (warm, answer)):
            axes.set_title(words, fontsize=10)
            axes.set_axis_off()
        colour_map = LinearSegmentedColormap.from_list("heat", _COLOURS / 255)
        bar = figure.colorbar(ScalarMappable(cmap=colour_map), ax=warm, fraction=0.046, pad=0.03)
        bar.set_label(f"speaks for it ({heat.shape[1]} x {heat.shape[0]}, {layer})", fontsize=8, color=colours.text)
        bar.set_ticks([0, 1], labels=["not", "most"])
        write_figure(path, figure)
