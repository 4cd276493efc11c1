"""A network that answers for images: ``densezoo.Classifier("densenet121")("cat.jpg")``."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import overload

from torch import nn

from densezoo import protocols
from densezoo.api.labels import names_of
from densezoo.api.names import check_names
from densezoo.api.plan import check_channels, load_weights, run_facts
from densezoo.api.weights import fetch_weights
from densezoo.backends.base import AUTO, Backend
from densezoo.backends.device import choose_device
from densezoo.data.images import ImageSet
from densezoo.data.layouts.given import given_images
from densezoo.data.layouts.pixels import Given, is_one, sources_of
from densezoo.data.loading import Faster, OnError
from densezoo.data.workers import lost_workers_named
from densezoo.errors import ConfigError
from densezoo.evaluation.answers import Answers
from densezoo.evaluation.choice import create_backends, pixels_of_the_size
from densezoo.evaluation.evaluator import Made, Make
from densezoo.evaluation.options import LoadOptions, RunOptions
from densezoo.evaluation.stream import stream
from densezoo.formats.names import looks_like_a_file
from densezoo.protocols.own import Changes, changed
from densezoo.types import Architecture, Prediction, Protocol, RunFacts

FEW = 32  # images for which it isn't worth while to look for faster ways to decode them


class Classifier:
    """A network with its preprocessing and the names of its classes: images -> predictions.

    Args:
        model: a name of the index, whose weights are fetched once; a checkpoint file that says what it holds or that
            the index knows by its hash; or a config, with ``checkpoint``.
        checkpoint: the file of weights for a config.
        protocol: how images are prepared; None: the weights' own.
        class_names: of the outputs in their order; or where they stand: a dataset's name, a file of a name a line, a
            folder whose folders are the classes. None: the weights' own.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        backend, precision: what computes the logits (`densezoo.backends.base.BACKENDS`).
        batch_size: images a step.
        workers: as of `densezoo.evaluation.options.RunOptions`.
        overrides: of config fields.
        changes: of the protocol's fields.

    Raises:
        DensezooError: a user's mistake; each kind of mistake has its own subclass.
    """

    def __init__(
        self,
        model: str | Path,
        checkpoint: str | Path | None = None,
        *,
        protocol: str | None = None,
        class_names: str | Path | Sequence[str] | None = None,
        device: str | None = None,
        backend: str = AUTO,
        precision: str = "float32",
        batch_size: int = 64,
        workers: int | None = None,
        overrides: Mapping[str, object] | None = None,
        changes: Changes | None = None,
    ) -> None:
        names = None if protocol is None else [protocol]
        load = load_options(model, checkpoint, names, overrides or {})
        experiment = check_names(
            load.config,
            load.checkpoint,
            overrides=overrides,
            names=names,
            device=device,
            backend=backend,
            precision=precision,
        )
        self._options = RunOptions(batch_size, workers, device, backend=backend, precision=precision)
        loaded = load_weights(load, experiment)
        if not (protocol or loaded.own_protocol):
            raise ConfigError(f"{load.checkpoint}: doesn't say how images are prepared for it; give a --protocol")
        named = protocols.get_protocol(protocol or loaded.own_protocol)
        self.protocol: Protocol = changed(named, changes or Changes())
        self.architecture: Architecture = loaded.experiment.model
        check_channels(self.architecture, self.protocol)
        self.network: nn.Module = loaded.network
        self.class_names: Sequence[str] = names_of(
            class_names, loaded.spec, loaded.experiment.dataset, loaded.stated, self.architecture.num_classes
        )
        device = choose_device(device)
        self.facts: RunFacts = dataclasses.replace(
            run_facts(loaded, load, self._options, device, self.protocol), dataset=""
        )
        self._backend: Backend | None = None

    def __repr__(self) -> str:
        facts = self.facts
        return f"<Classifier {facts.model}, {len(self.class_names)} classes, protocol {facts.protocol}>"

    @overload
    def __call__(self, images: Given, topk: int = 5) -> Prediction: ...  # type: ignore[overload-overlap]  # str

    @overload
    def __call__(self, images: Iterable[Given], topk: int = 5) -> list[Prediction]: ...

    def __call__(self, images: Given | Iterable[Given], topk: int = 5) -> Prediction | list[Prediction]:
        """The first answers for one image, or a list of them for several.

        Args:
            images: a path or URL, an encoded file, a Pillow image, uint8 pixels as an array (H, W, 3) or (H, W) or as
                a tensor (C, H, W); or several as a list or as a batch (N, H, W, 3), a tensor (N, C, H, W).
            topk: how many answers an image gets at most.

        Raises:
            ImageError: an image can't be read; names it.
            DatasetError: there is no such file.
        """
        given = given_images(sources_of(images, self.protocol))
        found = list(self.predict(given, topk=topk))
        return found[0] if is_one(images) and len(found) == 1 else found

    def predict(self, images: ImageSet, *, topk: int = 5, on_error: OnError = "stop") -> Generator[Prediction]:
        """The predictions of a set of images of any size, in its order, as they are made.

        Args:
            images: such as `densezoo.data.layouts.given.named_images` gives.
            topk: how many answers an image gets at most.
            on_error: an image that can't be read ends it ("stop"), or is warned of and has no answers ("skip").

        Raises:
            ImageError: an image can't be read; names it.
            DatasetError: images of several sizes under a protocol that doesn't resize.
            EvaluationError: NaN or infinite logits; the backend's logits are not eager's.
        """
        made = Answers(images.ids, self.class_names, topk)
        with closing(self._steps(images, made, on_error)) as steps:
            for predictions in steps:
                yield from predictions

    def _steps(self, images: ImageSet, make: Make[Made], on_error: OnError) -> Generator[Made]:
        """What is made of the logits of every few images, in their order."""
        backend = self._created_backend(images)
        options = dataclasses.replace(self._options, on_error=on_error)
        faster = Faster() if len(images) < FEW else None
        with lost_workers_named(), closing(stream([backend], images, range(len(images)), options, make, faster)) as all:
            for parts in all:
                yield from parts

    def _created_backend(self, images: ImageSet) -> Backend:
        """The backend, held to eager when it is first used: on noise of the size that the protocol gives."""
        if self._backend is None:
            pixels = [pixels_of_the_size(images, self.protocol)]
            backends, self.facts = create_backends(self.network, self.architecture, [self.protocol], self.facts, pixels)
            self._backend = backends[0]
        return self._backend


def load_options(
    model: str | Path, checkpoint: str | Path | None, names: Sequence[str] | None, overrides: Mapping[str, object]
) -> LoadOptions:
    """Where the weights of a model lie; those of a name are fetched.

    Args:
        model, checkpoint, overrides: as of `Classifier`.
        names: of protocols; None: the weights' own.

    Raises:
        UnknownNameError: neither such a file nor such a model.
        ConfigError: a config without a checkpoint.
    """
    path = Path(model).expanduser()
    if path.suffix == ".py":
        if checkpoint is None:
            raise ConfigError(f"{model}: is a config; its checkpoint goes after it: {model} CHECKPOINT")
        return LoadOptions(path, Path(checkpoint), protocols=names, overrides=overrides)
    if checkpoint is not None:
        raise ConfigError(f"{model}: expected a config before the checkpoint {checkpoint}, a .py file; leave one out")
    if path.exists():
        return LoadOptions(None, path, protocols=names)
    if looks_like_a_file(str(model)):
        raise ConfigError(f"{model}: there is no such checkpoint file, and no model of that name")
    name = str(model)
    return LoadOptions(None, fetch_weights(name), name, protocols=names)
