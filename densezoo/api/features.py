"""Feature vectors of images: what a network's classifier is given."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.api.arguments import NetworkArguments
from densezoo.api.image_network import ImageNetwork
from densezoo.data.images import ImageSet
from densezoo.data.loading import OnError
from densezoo.evaluation.vectors import Vector, Vectors, as_features

if TYPE_CHECKING:
    from typing_extensions import Unpack


class FeatureExtractor(ImageNetwork):
    """A network with its preprocessing: images -> the pooled features before its classifier.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        checkpoint: the file of weights for a config; None: the model has its own.
        options: further arguments of `densezoo.api.image_network.ImageNetwork`.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """

    def __init__(
        self, model: str | Path, checkpoint: str | Path | None = None, **options: Unpack[NetworkArguments]
    ) -> None:
        super().__init__(model, checkpoint, **options)
        self.network, self.architecture = as_features(self.network, self.architecture)

    def vectors(self, images: ImageSet, on_error: OnError = "stop") -> Generator[Vector]:
        """The vectors of a set of images of any size, in its order, as they are made.

        Args:
            images: such as `densezoo.data.layouts.given.named_images` gives.
            on_error: an image that can't be read ends it ("stop"), or is warned of and has no features ("skip").

        Raises:
            ImageError: an image can't be read; names it.
            EvaluationError: NaN or infinite features; the backend's features are not eager's.
        """
        with closing(self.steps(images, Vectors(images.ids), on_error)) as steps:
            for vectors in steps:
                yield from vectors
