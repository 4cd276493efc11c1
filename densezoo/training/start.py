"""What fine-tuning begins with: a network of published or own weights, fitted to other classes and channels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from densezoo.conversion.load import build_network
from densezoo.conversion.match import read_network, shown_architecture
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families import family_of
from densezoo.families.stages import layers_by_stage
from densezoo.formats.identity import unchanged
from densezoo.formats.safetensors import stated_facts
from densezoo.index.download import fetch_weights
from densezoo.index.hub import find_prefixed
from densezoo.index.known import identify
from densezoo.paths import ROOT
from densezoo.threads import one_thread
from densezoo.types import Architecture, Start


@dataclass(frozen=True)
class Started:
    """A network to train further.

    Args:
        network: with the weights that fit, and fresh ones where none do.
        architecture: its own: the config's, with what the file alone says (an epsilon).
        facts: where the weights are from: {"weights", "sha256", "source", "model"}, JSON values.
        said: what was changed or has to be known, in lines for the user.
    """

    network: nn.Module
    architecture: Architecture
    facts: Mapping[str, object]
    said: tuple[str, ...]


def weights_file(weights: str) -> Path:
    """The file of weights that a config names; those of a model of the index are fetched if they aren't there yet.

    Args:
        weights: a file, relative to the current folder or to densezoo's; a name of the index, or one with a prefix
            (`densezoo.index.hub`).

    Raises:
        ConfigError: there is no such file, and no such name.
        DownloadError: the weights can't be fetched.
    """
    for path in (Path(weights).expanduser(), ROOT / weights):
        if path.is_file():
            return path
    try:
        return find_prefixed(weights) or fetch_weights(weights)
    except UnknownNameError as error:
        raise ConfigError(f"train.start.weights: there is no file {weights!r}, and {error}") from None


def start_network(start: Start, architecture: Architecture) -> Started:
    """The network of a file of weights, with as many classes and channels as a config asks for.

    The file is converted whole, as everywhere: nothing of it is left out but a classifier of another number of classes,
    in whose place one is drawn anew by torch's global generator.

    Args:
        start: names the weights.
        architecture: the config's. The weights have to be of it, classes, channels and dropout apart.

    Raises:
        ConfigError: no such weights; other channels, and ``adapt_in_chans`` doesn't ask for them to be fitted.
        DensezooError: the file can't be fetched, read or converted, or holds another network.
    """
    path = weights_file(start.weights)
    with unchanged(path) as sha256, one_thread():
        content = read_network(path)
        shown = shown_architecture(content)
        sizes = {"num_classes": shown.num_classes, "in_chans": shown.in_chans}
        asked = dataclasses.replace(architecture, **sizes) if shown.family == architecture.family else architecture
        network, report = build_network(content, asked)
        spec = identify(path, sha256)[0]
    stored, wanted = report.architecture, _with_training_fields(report.architecture, architecture)
    weights, said = (
        dict(network.state_dict()),
        [f"weights: {path.name}, {report.source} names, {report.matched} tensors"],
    )
    if wanted.in_chans != stored.in_chans:
        said.append(_fit_channels(weights, stored, wanted, start.adapt_in_chans))
    trained = family_of(wanted).network(wanted)
    if wanted.num_classes != stored.num_classes:
        (classifier,) = layers_by_stage(stored)["classifier"]
        fresh = [name for name in weights if name.startswith(f"{classifier.name}.")]
        weights |= {name: trained.state_dict()[name] for name in fresh}
        said.append(f"classifier: drawn anew for {wanted.num_classes} classes, the weights have {stored.num_classes}")
    else:
        said.append(f"classifier: that of the weights, which have {stored.num_classes} classes, too")
    trained.load_state_dict(weights)
    facts = {"weights": path.name, "sha256": sha256, "source": report.source, "model": spec.name if spec else None}
    stated = spec.protocol if spec else stated_facts(path, content.metadata).get("protocol") or report.protocol
    if isinstance(stated, str):
        said.append(f"protocol: the weights are meant for {stated}")
    return Started(trained, wanted, facts, tuple(said))


def _with_training_fields(stored: Architecture, asked: Architecture) -> Architecture:
    """A file's architecture with the config's classes and channels, and what only training asks for: dropout."""
    arch = dataclasses.replace(stored, num_classes=asked.num_classes, in_chans=asked.in_chans)
    for field in dataclasses.fields(arch):
        changed = dataclasses.replace(arch, **{field.name: getattr(asked, field.name)})
        if changed.same_function() == arch.same_function():
            arch = changed
    return arch


def _fit_channels(weights: dict[str, Tensor], stored: Architecture, wanted: Architecture, asked: bool) -> str:
    """Fit the first convolution's weight in place to other channels of the image; return what was done.

    Raises:
        ConfigError: it wasn't asked for.
    """
    change = f"{stored.in_chans} to {wanted.in_chans}"
    if not asked:
        raise ConfigError(
            f"model.in_chans is {wanted.in_chans}, and the weights take {stored.in_chans} channels; give "
            "train.start.adapt_in_chans=True to fit the first convolution, or another protocol and in_chans"
        )
    name = f"{layers_by_stage(stored)['stem'][0].name}.weight"
    weights[name] = fitted_channels(weights[name], wanted.in_chans)
    how = "summed" if wanted.in_chans == 1 else "repeated and scaled"
    return f"first convolution: its weight {how} over the channels, {change}"


def fitted_channels(weight: Tensor, in_chans: int) -> Tensor:
    """A convolution's weight for another number of channels, as timm fits it: grey takes the sum over all channels.

    More channels repeat the weight in turn, scaled so that an image with one value in all channels gives about what it
    gave before (exactly, for a multiple).

    Args:
        weight: (channels out, channels in, height, width).
        in_chans: channels in of the result.
    """
    before = weight.shape[1]
    if in_chans == 1:
        return weight.sum(1, keepdim=True)
    repeated = weight.repeat(1, math.ceil(in_chans / before), 1, 1)[:, :in_chans]
    return repeated * (before / in_chans)
