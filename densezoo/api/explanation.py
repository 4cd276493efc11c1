"""Which parts of a picture speak for a class, by the network that `densezoo.Classifier` loads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from densezoo.api.arguments import ClassifierArguments
from densezoo.api.classifier import Classifier
from densezoo.backends.network import ieee_float32
from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.layouts.given import given_images
from densezoo.data.layouts.pixels import Given, sources_of
from densezoo.data.orientation import seen_as_stored
from densezoo.data.preprocess import as_picture, check_size, normalise, to_pixels
from densezoo.errors import ConfigError, DatasetError, UnknownNameError
from densezoo.evaluation.answers import class_probabilities
from densezoo.evaluation.grad_cam import grad_cam
from densezoo.files import PLOT, written_as
from densezoo.results.figures import get_theme
from densezoo.results.heat_maps import draw_heat_map, overlaid
from densezoo.types import Answer
from densezoo.types.shown import listed, percent

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, eq=False)
class Explanation:
    """Why a network answers so.

    Args:
        image: its path or URL; its number where it came as pixels.
        answer: the class that is explained, with its probability.
        layer: whose maps are used; None: the last ones.
        pixels: (H, W, 3) or (H, W), what the network got of the picture.
        heat: (h, w), 0 to 1: how much each part speaks for the class, in the layer's size.
    """

    image: str
    answer: Answer
    layer: str | None
    pixels: NDArray[np.uint8]
    heat: NDArray[np.float32]

    def __repr__(self) -> str:
        height, width = self.heat.shape
        answer = f"{self.answer.name}, {percent(100 * self.answer.probability)}"
        return f"<Explanation {self.image}: {answer}, heat of {height} x {width}>"

    def save(self, path: str | Path, theme: str = "light") -> None:
        """Write the picture with the heat map beside it and over it.

        Args:
            path: .png, .svg or .pdf file.
            theme: "light" or "dark".

        Raises:
            ConfigError, ResultError, MissingDependencyError: it can't be written.
        """
        words = f"{self.answer.name}: {percent(100 * self.answer.probability, 1)}"
        draw_heat_map(Path(path), self.pixels, self.heat, words, self.layer or "the last maps", theme)

    def _repr_png_(self) -> bytes:
        """The heat map over the picture, for notebooks."""
        return overlaid(self.pixels, self.heat)


def explain(
    model: str | Path | Classifier,
    image: Given,
    checkpoint: str | Path | None = None,
    *,
    layer: str | None = None,
    target: str | int | None = None,
    **options: Unpack[ClassifierArguments],
) -> Explanation:
    """Which parts of a picture speak for a class, by Grad-CAM: ``explain("densenet121", "cat.jpg").save("cam.png")``.

    Args:
        model: a classifier; or what one is made of: a name of the index, a checkpoint file, a config.
        checkpoint: the file of weights for a config; None: the model has its own.
        image: a path or URL, a Pillow image, an array (H, W, C) or (H, W), a tensor (C, H, W).
        layer: name of the module whose maps are used ("features.denseblock3"); None: the last maps.
        target: the class, by name or number; None: the most probable one.
        options: further arguments of `densezoo.Classifier`, where one is made.

    Raises:
        UnknownNameError: no such layer or class; names the nearest.
        ConfigError: the layer gives no maps; several classes have that name; the number is none of a class; options for
            a classifier that is made already.
        ImageError: the picture can't be read.
        DensezooError: the model isn't found, or its weights can't be read.
    """
    given = [*(["checkpoint"] if checkpoint is not None else []), *options]
    if isinstance(model, Classifier) and given:
        raise ConfigError(f"{model!r}: is a classifier already; give {', '.join(given)} where it is made, or leave out")
    classifier = model if isinstance(model, Classifier) else Classifier(model, checkpoint, **options)
    images: ImageSet = given_images(sources_of(image, classifier.protocol))
    if len(images) != 1:
        raise DatasetError(f"{images.ids[0]}, ...: expected one picture to explain, found {len(images)}; name one")
    label = None if target is None else class_number(target, classifier.class_names)
    protocol, where = classifier.protocol, images.location_of(0)
    if not protocol.exif:
        images = seen_as_stored(images, protocol.name)
    decoded = decode(images.read(0), protocol, where)
    check_size(decoded, protocol, where)
    pixels = to_pixels(decoded, protocol)
    device = torch.device(classifier.facts.device)
    network = classifier.network.to(device).eval()
    with ieee_float32():
        heat, logits = grad_cam(network, normalise(pixels, protocol)[None].to(device), layer, label)
    label = int(logits.argmax()) if label is None else label
    probabilities = class_probabilities(logits.double()[None], classifier.multi_label)[0]
    answer = Answer(label, classifier.class_names[label], float(probabilities[label]))
    return Explanation(images.ids[0], answer, layer, as_picture(pixels, protocol), heat.float().cpu().numpy())


def class_number(target: str | int, names: Sequence[str]) -> int:
    """The class that a user names.

    Args:
        target: its name, in any case, or its number; a name that is a number is taken for the name.
        names: of all classes.

    Raises:
        UnknownNameError: no class has that name; names the nearest.
        ConfigError: several have it; there is no class of that number.
    """
    wanted = str(target).strip().casefold()
    numbers = [] if isinstance(target, int) else [i for i, name in enumerate(names) if name.casefold() == wanted]
    if len(numbers) > 1:
        raise ConfigError(f"classes {', '.join(map(str, numbers))} are called {target!r}; give the number of one")
    if numbers:
        return numbers[0]
    if not wanted.removeprefix("-").isdecimal():
        raise UnknownNameError("class", str(target), names, f"they are {listed(names)}")
    if not 0 <= int(wanted) < len(names):
        raise ConfigError(f"there is no class {target}; expected 0 to {len(names) - 1}, or a name")
    return int(wanted)


def check_picture(path: str | Path, theme: str) -> None:
    """Refuse a file that no explanation can be written to, before the work starts.

    Args:
        path: .png, .svg or .pdf file.
        theme: "light" or "dark".

    Raises:
        ConfigError: another extension than a diagram's.
        UnknownNameError: there is no such theme.
    """
    written_as(Path(path), "plot", PLOT)
    get_theme(theme)
