"""Creates the backends of a run, chooses among them where that is left to us, and holds them to eager's logits."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor, nn

from densezoo.backends.base import AUTO, EAGER, NATIVE, Backend, create_backend, difference_from_eager
from densezoo.data.images import ImageSet
from densezoo.data.loading import ImagePixels
from densezoo.data.views import Augmentation
from densezoo.errors import BackendError, ConfigError, DensezooError
from densezoo.evaluation import distributed
from densezoo.evaluation.calibration import calibration_pixels
from densezoo.types import Architecture, Protocol, RunFacts

CHECKED = 8  # images on which a backend is held to eager; a network of 121 layers takes eager 50 ms for each
SEARCHED = 100  # images among which those are looked for; some may be broken, which the run reports later


def first_pixels(
    images: ImageSet, protocols: Sequence[Protocol], augmentation: Augmentation | None
) -> list[Tensor | None]:
    """The pixels (N, C, H, W) of the first images under each protocol, those that can be read and are of one size.

    If none can be read it is a black one; None if the protocol doesn't say how large that is.

    Args:
        images: the set.
        protocols: of the run.
        augmentation: its views of each image count as images; None: one view.
    """
    dataset = ImagePixels(images, protocols, range(len(images)), augmentation)
    first: list[list[Tensor]] = [[] for _ in protocols]
    for position in range(min(len(images), SEARCHED)):
        item = dataset[position]
        if isinstance(item, DensezooError):
            continue
        for pixels, view in zip(first, item[1]):
            if not isinstance(view, Exception) and (not pixels or view.pixels.shape == pixels[0].shape):
                pixels.append(view.pixels)
        if all(len(pixels) >= CHECKED for pixels in first):
            break
    return [_stacked(pixels[:CHECKED], protocol) for pixels, protocol in zip(first, protocols)]


def pixels_of_the_size(images: ImageSet, protocol: Protocol) -> Tensor | None:
    """A black image (1, C, H, W) of the size that a protocol gives; if it gives none, the first images.

    Args:
        images: the set; it is read only if the protocol leaves the size to the image.
        protocol: of the run.
    """
    side = protocol.crop or protocol.image_size
    if side is None:
        return first_pixels(images, [protocol], None)[0]
    return torch.zeros((1, len(protocol.channel_order), side, side), dtype=torch.uint8)


def _stacked(pixels: Sequence[Tensor], protocol: Protocol) -> Tensor | None:
    """Images, or views of images, as one batch."""
    if pixels:
        batch = torch.stack(list(pixels))
        return batch.flatten(0, 1) if batch.ndim == 5 else batch
    side = protocol.crop
    return None if side is None else torch.zeros((1, len(protocol.channel_order), side, side), dtype=torch.uint8)


def create_backends(
    network: nn.Module,
    architecture: Architecture,
    protocols: Sequence[Protocol],
    facts: RunFacts,
    pixels: Sequence[Tensor | None],
    training_images: ImageSet | None = None,
) -> tuple[list[Backend], RunFacts]:
    """One backend for each protocol, and the facts with what computes and how far from eager it is.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocols: of the run.
        facts: backend, precision and device that were asked for.
        pixels: of `first_pixels`.
        training_images: that backends are calibrated on; None: none.

    Raises:
        ConfigError: the network can't take images of the size that a protocol gives.
        BackendError, MissingDependencyError: the backend can't compute this here; `auto` then takes eager.
        EvaluationError: its logits differ from eager's by more than the table of backends allows.
    """
    created = partial(_create, network, architecture, protocols, facts.device)
    eager = created(EAGER, "float32")
    if (facts.backend, facts.precision) == (EAGER, "float32"):
        for backend, batch in zip(eager, pixels):
            _eager_logits(backend, None if batch is None else batch[:1])
        return eager, facts
    expected = [_eager_logits(*each) for each in zip(eager, pixels)]
    name = NATIVE if facts.backend == AUTO else facts.backend
    backends, difference, problem = eager, 0.0, ""
    try:
        backends = created(name, facts.precision, training_images)
        difference = max(_difference(*each) for each in zip(backends, eager, pixels, expected))
    except (DensezooError, RuntimeError, MemoryError) as error:
        if facts.backend != AUTO:
            raise
        problem = str(error).partition("\n")[0]
    problem, difference = max(distributed.gather((problem, difference)))  # so that all processes take the same one
    if problem:
        _say(f"backend: {EAGER}, because {problem}")
        return eager, dataclasses.replace(facts, backend=EAGER)
    if facts.backend == AUTO:
        _say(f"backend: {name}, whose logits differ from {EAGER}'s by {difference:.1e} of the largest")
    return backends, dataclasses.replace(facts, backend=name, backend_difference=difference)


def _create(
    network: nn.Module,
    architecture: Architecture,
    protocols: Sequence[Protocol],
    device: str,
    name: str,
    precision: str,
    images: ImageSet | None = None,
) -> list[Backend]:
    """A backend for each protocol, calibrated on the training images if there are any."""
    calibrations = [None if images is None else calibration_pixels(images, each) for each in protocols]
    return [
        create_backend(name, network, architecture, protocol, device, precision, calibration)
        for protocol, calibration in zip(protocols, calibrations)
    ]


def _eager_logits(eager: Backend, pixels: Tensor | None) -> Tensor | None:
    """Eager's logits of the first images; None: there are none.

    Raises:
        ConfigError: the network can't take images of this size.
    """
    if pixels is None:
        return None
    try:
        return eager(pixels)
    except RuntimeError as error:
        channels, height, width = pixels.shape[1:]
        raise ConfigError(
            f"the network can't take an image of {height} x {width} px and {channels} channels, as protocol "
            f"{eager.protocol.name} gives it ({str(error).partition(chr(10))[0]}); choose another protocol or "
            "checkpoint"
        ) from None


def _difference(backend: Backend, eager: Backend, pixels: Tensor | None, expected: Tensor | None) -> float:
    """How far a backend's logits are from eager's on the first images.

    Raises:
        BackendError: there is no image to compare on.
        EvaluationError: the difference is larger than the table of backends allows.
    """
    if pixels is None:
        raise BackendError(
            f"{backend.name} can't be compared with {EAGER}: none of the first {SEARCHED} images can be read"
        )
    return difference_from_eager(backend, eager, pixels, expected)


def _say(line: str) -> None:
    if distributed.is_main():
        logging.getLogger("densezoo").warning(line)
