"""A network with its preprocessing, over any images: what a classifier and an extractor of features have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from torch import nn

from densezoo import protocols
from densezoo.api.names import check_names
from densezoo.api.plan import Loaded, check_channels, load_weights, run_facts
from densezoo.api.weights import fetch_weights
from densezoo.backends.base import AUTO, Backend
from densezoo.backends.device import choose_device
from densezoo.data.images import ImageSet
from densezoo.data.loading import Faster, OnError
from densezoo.data.orientation import seen_as_stored
from densezoo.data.workers import lost_workers_named
from densezoo.errors import ConfigError
from densezoo.evaluation.choice import create_backends, pixels_of_the_size
from densezoo.evaluation.evaluator import Made, Make
from densezoo.evaluation.options import LoadOptions, RunOptions
from densezoo.evaluation.stream import stream
from densezoo.formats.names import looks_like_a_file
from densezoo.index.hub import find_prefixed
from densezoo.protocols.own import Changes, changed
from densezoo.types import Architecture, Protocol, RunFacts

EXAMPLES = "torchvision, timm or mmpretrain"  # what most files of weights need
FEW = 32  # images for which it isn't worth while to look for faster ways to decode them


class ImageNetwork:
    """A network with its preprocessing: images -> what is made of its outputs, at the speed of an evaluation.

    Args:
        model: a name of the index, whose weights are fetched once; a checkpoint file that says what it holds or that
            the index knows by its hash; ``hf-hub:owner/name`` or ``local-dir:folder``; or a config with ``checkpoint``.
        checkpoint: the file of weights for a config.
        protocol: how images are prepared, a name or a YAML file of one's own; None: the weights' own.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        backend, precision: what computes the outputs (`densezoo.backends.base.BACKENDS`).
        batch_size: images a step.
        workers: with a concurrent backend (native) threads, each of which decodes and computes; with the others
            processes that decode. 0: the main thread does all. None: a thread a core, or two processes.
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
        device: str | None = None,
        backend: str = AUTO,
        precision: str = "float32",
        batch_size: int = 64,
        workers: int | None = None,
        overrides: Mapping[str, object] | None = None,
        changes: Changes | None = None,
    ) -> None:
        names = None if protocol is None else [protocol]
        self._options = RunOptions(batch_size, workers, device, backend=backend, precision=precision)
        config = Path(model).expanduser() if Path(model).suffix == ".py" else None
        experiment = check_names(  # before weights are fetched
            config,
            None if config is None else checkpoint,
            overrides=overrides,
            names=names,
            device=device,
            backend=backend,
            precision=precision,
        )
        load = load_options(model, checkpoint, names, overrides or {})
        self._loaded: Loaded = load_weights(load, experiment)
        used = protocol or self._loaded.own_protocol
        if not used:
            raise ConfigError(
                f"{load.checkpoint}: doesn't say how images are prepared for it; give a --protocol, such as {EXAMPLES} "
                "(docs/protocols.md), or name its config before it: CONFIG.py CHECKPOINT"
            )
        self.protocol: Protocol = changed(protocols.get_protocol(used), changes or Changes())
        self.architecture: Architecture = self._loaded.experiment.model
        check_channels(self.architecture, self.protocol)
        self.network: nn.Module = self._loaded.network
        facts = run_facts(self._loaded, load, self._options, choose_device(device), self.protocol)
        self.facts: RunFacts = dataclasses.replace(facts, dataset="")
        self._backend: Backend | None = None

    def steps(self, images: ImageSet, make: Make[Made], on_error: OnError = "stop") -> Generator[Made]:
        """What is made of the outputs of every few images, in the images' order.

        Args:
            images: the set.
            make: takes the outputs and the batches (`densezoo.evaluation.stream`).
            on_error: an image that can't be read ends it ("stop"), or is warned of and left out of the pixels ("skip").

        Raises:
            ImageError: an image can't be read; names it.
            DatasetError: images of several sizes under a protocol that doesn't resize.
            EvaluationError: the backend's outputs are not eager's.
        """
        backend = self._created_backend(images)
        self.facts = dataclasses.replace(self.facts, sampled_from=images.sampled_from)
        options = dataclasses.replace(self._options, on_error=on_error)
        faster = Faster() if len(images) < FEW else None
        if not self.protocol.exif:
            images = seen_as_stored(images, self.protocol.name)
        computed = stream([backend], images, range(len(images)), options, make, faster)
        with lost_workers_named(), closing(computed) as steps:
            for parts in steps:
                yield from parts

    def _created_backend(self, images: ImageSet) -> Backend:
        """The backend, held to eager when it is first used: on noise of the size that the protocol gives."""
        if self._backend is None:
            pixels = [pixels_of_the_size(images, self.protocol)]
            (self._backend,), self.facts = create_backends(
                self.network, self.architecture, [self.protocol], self.facts, pixels
            )
        return self._backend


def load_options(
    model: str | Path, checkpoint: str | Path | None, names: Sequence[str] | None, overrides: Mapping[str, object]
) -> LoadOptions:
    """Where the weights of a model lie; those of a name are fetched.

    Args:
        model: a name of the index, a checkpoint file, ``hf-hub:owner/name``, or a config with ``checkpoint``.
        checkpoint: the file of weights for a config; None: the model has its own.
        names: of protocols; None: the weights' own.
        overrides: {field of the config: value}.

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
    if (prefixed := find_prefixed(str(model))) is not None:
        return LoadOptions(None, prefixed, protocols=names)
    if looks_like_a_file(str(model)):
        raise ConfigError(f"{model}: there is no such checkpoint file, and no model of that name")
    name = str(model)
    return LoadOptions(None, fetch_weights(name), name, protocols=names)
