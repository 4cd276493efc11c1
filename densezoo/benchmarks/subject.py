"""The network that a benchmark runs: of the index or a config, with given weights or drawn ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from densezoo.benchmarks.limit import products
from densezoo.benchmarks.task import Task
from densezoo.config import load_config
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import ConfigError
from densezoo.families import architecture_values, family_of
from densezoo.families.flops import count_operations, flops
from densezoo.formats.safetensors import write_safetensors
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.threads import one_thread
from densezoo.types import Experiment

_BATCH = 4  # images that the norms of drawn weights take their statistics from


@dataclass(frozen=True)
class Subject:
    """A network and how it is used.

    Args:
        name: the index's, or the config's.
        experiment: of the config.
        protocol: the name of the preprocessing.
        image_size: side of the images in pixels.
        weights: a safetensors file with canonical names.
    """

    name: str
    experiment: Experiment
    protocol: str
    image_size: int
    weights: Path

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image in convolutions and classifier."""
        arch = self.experiment.model
        return flops(count_operations(family_of(arch).computation(arch), self.image_size), "torchvision")

    @property
    def products(self) -> tuple[int, int]:
        """The multiply-adds of one image that the native engine's algorithm has left (`densezoo.benchmarks.limit`)."""
        arch = self.experiment.model
        return products(family_of(arch).computation(arch), self.image_size)

    def task(self, program: str, device: str, precision: str, threads: int) -> Task:
        """The task of one contestant.

        Args:
            program: whose network it is, such as "timm".
            device: that it computes on.
            precision: that it computes in, such as "float32".
            threads: of the computation.
        """
        values = json.loads(json.dumps(architecture_values(self.experiment.model)))  # lists for tuples
        weights, protocol = str(self.weights), self.protocol
        return Task(program, values, weights, protocol, self.image_size, device, precision, threads)


def make_subject(
    model: str, folder: Path, protocol: str | None, image_size: int | None, weights: Path | None
) -> Subject:
    """The subject of a benchmark.

    Args:
        model: a name of the index, with or without its tag, or a path of a config.
        folder: where the weights are written.
        protocol: None: the model's own.
        image_size: None: the protocol's.
        weights: a checkpoint file of any format; None: they are drawn.

    Raises:
        UnknownNameError: there is no such model or protocol.
        ConfigError: no config, or one without an image size.
        DensezooError: the weights can't be read or don't fit.
    """
    name, experiment, own = _experiment(model)
    chosen = get_protocol(protocol or own)
    size = image_size or chosen.crop or chosen.image_size
    if size is None:
        raise ConfigError(f"protocol {chosen.name} says no image size; give --img-size")
    if weights is not None:
        network, _ = load_checkpoint(weights, experiment.model)
    else:
        network = drawn_network(experiment, size)
    path = folder / "weights.safetensors"
    write_safetensors(path, network.state_dict(), {})
    return Subject(name, experiment, chosen.name, size, path)


def _experiment(model: str) -> tuple[str, Experiment, str]:
    """(name, experiment, protocol) of a model."""
    path = Path(model) if Path(model).exists() else ROOT / model
    if model.endswith(".py"):
        experiment = load_config(path)
        return experiment.name, experiment, experiment.protocol
    specs = load_index()
    spec = specs.get(model) or next((spec for spec in specs.values() if model in (spec.arch, *spec.aliases)), None)
    if spec is None:
        from densezoo.index.load import get_spec

        spec = get_spec(model)  # names the nearest
    return spec.arch, load_config(ROOT / spec.config), spec.protocol


def drawn_network(experiment: Experiment, image_size: int) -> nn.Module:
    """The network in eval mode with random weights, the same every time.

    Norms have random factors and the statistics of a batch of noise, so that no layer is near the identity and a
    program that leaves one out gives other logits.

    Args:
        experiment: has the architecture.
        image_size: side of the noise in pixels.
    """
    arch = experiment.model
    with torch.random.fork_rng(devices=[]), one_thread(), torch.no_grad():
        torch.manual_seed(0)
        network = family_of(arch).network(arch)
        norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
        for norm in norms:
            norm.weight.uniform_(0.5, 1.5)
            norm.bias.normal_(0.0, 0.2)
            norm.momentum = None  # statistics are those of all batches: of the one that follows
        network.train()(torch.randn(_BATCH, arch.in_chans, image_size, image_size))
    return network.eval()
