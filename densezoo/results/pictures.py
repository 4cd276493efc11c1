"""Pictures of what the protocols do to a photograph.

A picture carries, as text, the facts that it shows: protocols and published figures. So whether one is up to date is
seen without drawing it; a test draws each and compares the pixels.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import partial
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, PngImagePlugin

from densezoo.paths import sklearn_sample
from densezoo.protocols import PROTOCOLS
from densezoo.protocols.words import resampling
from densezoo.results.tables import origin
from densezoo.types import ModelSpec

Facts = Mapping[str, object]

_CELL, _GAP, _PATCH = 224, 12, 32  # pixels: the side of a cell, between two, of what is enlarged
_BRIGHTER = 4  # how much differences are multiplied by
_COMPARED = ("torchvision", "timm", "mmpretrain", "keras", "torch7")  # the first is what the others are compared with
_SIZES = ("torchvision", "timm-288", "rdnet", "rdnet-384")  # protocols that crop differently
KEY = "densezoo"  # of the text in a PNG
_TRAINING = "densenet121.lua_in1k"  # whose published figures stand below


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture of the documents.

    Args:
        photograph: file name among scikit-learn's sample images.
        protocols: names of those that it shows.
        draw: (image file, its facts) -> the picture.
    """

    photograph: str
    protocols: tuple[str, ...]
    draw: Callable[[bytes, Facts], Image.Image]


def pixels(photograph: bytes, name: str) -> Image.Image:
    """What the network gets under a protocol, before it is normalised, as an image.

    Args:
        photograph: an image file.
        name: of the protocol.
    """
    from densezoo.data.decoding import decode  # these are not needed to see that a picture is up to date
    from densezoo.data.preprocess import as_picture, to_pixels

    protocol = PROTOCOLS[name]
    return Image.fromarray(as_picture(to_pixels(decode(photograph, protocol, "the photograph"), protocol), protocol))


def draw_comparison(corner: tuple[int, int], photograph: bytes, facts: Facts) -> Image.Image:
    """One photograph under several protocols: a patch of each enlarged, and the difference from the first.

    Args:
        corner: (left, top) in the crop, in pixels, of the patch that is enlarged.
    """
    import numpy as np

    figures = facts["top-1"]
    assert isinstance(figures, Mapping)
    crops = {name: pixels(photograph, name) for name in _COMPARED}
    first = next(iter(crops.values()))
    box = (*corner, corner[0] + _PATCH, corner[1] + _PATCH)
    step = _CELL + _GAP
    top, below = 74, 74 + 2 * step  # where the first row and the figures begin
    canvas = Image.new("RGB", ((len(crops) + 1) * step - _GAP, below + 58), "white")
    draw = ImageDraw.Draw(canvas)
    canvas.paste(first, (0, top))
    draw.rectangle([box[0], top + box[1], box[2], top + box[3]], outline="white", width=2)
    _text(draw, (0, 40), "one photograph", 20, "dimgrey")
    for line, words in enumerate(("difference from", f"{_COMPARED[0]},", f"{_BRIGHTER} times as bright")):
        _text(draw, (0, top + step + 4 + 24 * line), words, 20, "dimgrey")
    for line, words in enumerate(("published top-1 of", f"one {_TRAINING.partition('.')[0]}")):
        _text(draw, (0, below + 24 * line), words, 20, "dimgrey")
    for column, (name, own) in enumerate(crops.items(), 1):
        left = column * step
        _text(draw, (left, 6), name, 26, "black")
        _text(draw, (left, 40), _how(name), 20, "dimgrey")
        canvas.paste(own.crop(box).resize((_CELL, _CELL), Image.Resampling.NEAREST), (left, top))
        apart = np.abs(np.asarray(own, np.int16) - np.asarray(first, np.int16))
        shown = (_BRIGHTER * apart).clip(0, 255).astype(np.uint8)
        canvas.paste(Image.fromarray(shown), (left, top + step))
        _text(draw, (left, below), str(figures[name]), 30, "black")
        words = f"pixels differ by {apart.mean():.1f}" if apart.any() else "the reference"
        _text(draw, (left, below + 36), words, 17, "dimgrey")
    return canvas


def draw_crops(photograph: bytes, facts: Facts) -> Image.Image:
    """What several protocols leave of a photograph, as outlines on it."""
    canvas = Image.open(BytesIO(photograph)).convert("RGB")
    draw = ImageDraw.Draw(canvas)
    short = min(canvas.size)
    for name, colour in zip(_SIZES, ("yellow", "red", "cyan", "white")):
        protocol = PROTOCOLS[name]
        assert protocol.resize is not None
        assert protocol.crop is not None
        half = short * protocol.crop / protocol.resize / 2
        left, upper = canvas.width / 2 - half, canvas.height / 2 - half
        draw.rectangle([left, upper, left + 2 * half - 1, upper + 2 * half - 1], outline=colour, width=2)
    for line, (name, colour) in enumerate(zip(_SIZES, ("yellow", "red", "cyan", "white"))):
        protocol = PROTOCOLS[name]
        words = f"{name}: {protocol.crop} of {protocol.resize}"
        draw.rectangle([4, 4 + 24 * line, 156, 28 + 24 * line], fill="black")
        _text(draw, (8, 5 + 24 * line), words, 13, colour)
    return canvas


#: {path in the repository: the picture}.
PICTURES: Mapping[str, Picture] = {
    "docs/pictures/protocols.png": Picture("china.jpg", _COMPARED, partial(draw_comparison, (44, 108))),
    "docs/pictures/flower.png": Picture("flower.jpg", _COMPARED, partial(draw_comparison, (96, 96))),
    "docs/pictures/crops.png": Picture("china.jpg", _SIZES, draw_crops),
}


def facts_of(picture: Picture, specs: Mapping[str, ModelSpec]) -> Facts:
    """What a picture shows, in plain values: its protocols' fields and the published top-1 under each."""
    shown: dict[str, str] = {}
    for spec in specs.values():
        if origin(spec, specs) == _TRAINING:
            for result in spec.reported:
                if result.dataset == "imagenet1k" and result.protocol in picture.protocols and result.tta is None:
                    shown.setdefault(str(result.protocol), str(result.top1))
    protocols = {name: dataclasses.asdict(PROTOCOLS[name]) for name in picture.protocols}
    facts = {"photograph": picture.photograph, "protocols": protocols, "top-1": shown}
    return json.loads(json.dumps(facts))  # type: ignore[no-any-return]  # lists for tuples, as they are read


def is_current(path: Path, facts: Facts) -> bool:
    """Whether a file is a picture of these facts."""
    if not path.is_file():
        return False
    with Image.open(path) as image:
        return bool(image.info.get(KEY) == json.dumps(facts, sort_keys=True))


def drawn(picture: Picture, facts: Facts) -> bytes:
    """The picture as a PNG of 256 colours that carries its facts."""
    image = picture.draw(sample_photograph(picture.photograph), facts)
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, json.dumps(facts, sort_keys=True))
    buffer = BytesIO()
    image.quantize(256, Image.Quantize.MEDIANCUT).save(buffer, "PNG", pnginfo=text, optimize=True)
    return buffer.getvalue()


def sample_photograph(name: str) -> bytes:
    """The file of one of scikit-learn's sample images, which are licensed CC BY (authors: its README.txt)."""
    return sklearn_sample(f"images/{name}").read_bytes()


def _how(name: str) -> str:
    """How a protocol resizes, without the library."""
    words = resampling(PROTOCOLS[name]).split(", ")
    return f"{words[0]}, {words[2]}"


def _text(draw: ImageDraw.ImageDraw, corner: tuple[int, int], words: str, size: int, colour: str) -> None:
    draw.text(corner, words, fill=colour, font=ImageFont.load_default(size))
