"""Creates networks with fresh, published or loaded weights, and their preprocessing."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from torch import nn

from densezoo import protocols
from densezoo.api.weights import fetch_weights
from densezoo.conversion.load import load_checkpoint
from densezoo.data.preprocess import Preprocess
from densezoo.errors import ConfigError
from densezoo.families import build_model, family_of
from densezoo.index.load import get_spec, load_index, tell_which
from densezoo.types import Architecture, ModelSpec


def get_protocol(name: str) -> Preprocess:
    """A named protocol as a function: a path, an encoded file or a Pillow image -> float32 (C, H, W).

    Its attribute ``protocol`` holds the fields (`densezoo.types.Protocol`).

    Args:
        name: of the protocol, such as ``torchvision``.

    Raises:
        UnknownNameError: there is none of that name.
    """
    return Preprocess(protocols.get_protocol(name))


def create_model(
    architecture: str | Architecture,
    *,
    builder: str = "densezoo",
    pretrained: bool = False,
    num_classes: int | None = None,
    in_chans: int | None = None,
    features_only: bool = False,
    out_indices: Sequence[int] | None = None,
) -> nn.Module:
    """Create a network of any family.

    Args:
        architecture: a name or alias of the index, the part of a name before the dot, or an `Architecture`.
        builder: the system whose code builds it: "densezoo", "timm" or "torchvision"; with the same weights all compute
            the same function.
        pretrained: fetch the weights of that name; otherwise they are fresh.
        num_classes: None: the architecture's. If the weights have another number, the classifier is fresh.
        in_chans: channels of the image; None: the architecture's.
        features_only: return the feature maps of every stage in place of logits (timm's ``features_only``); the
            module's ``feature_info`` says what each is.
        out_indices: the stages whose maps are returned, from 0, with ``features_only``; None: all.

    Raises:
        UnknownNameError: no such model or builder.
        ConfigError: the builder can't express the architecture; there are no weights for it, or they don't fit.
        DownloadError, FormatError, CheckpointError: the weights can't be fetched, read or converted.
    """
    if out_indices is not None and not features_only:
        raise ConfigError("out_indices chooses among feature maps; give features_only=True with it")
    arch = architecture if isinstance(architecture, Architecture) else _architecture(architecture)
    own_classes, own_chans = arch.num_classes, arch.in_chans
    arch = dataclasses.replace(arch, num_classes=num_classes or own_classes, in_chans=in_chans or own_chans)
    if not pretrained:
        network = build_model(arch, builder)
    elif isinstance(architecture, Architecture) or arch.in_chans != own_chans:
        network_title = (
            "an Architecture" if isinstance(architecture, Architecture) else f"{architecture} with {in_chans} channels"
        )
        raise ConfigError(
            f"there are no weights for {network_title}; expected a name of the index and in_chans {own_chans}"
        )
    else:
        loaded, stated = _pretrained(get_spec(architecture))
        network = build_model(stated, builder)  # with the fields that the file states, such as its epsilon
        network.load_state_dict(loaded.state_dict())
        if arch.num_classes != own_classes:
            network = family_of(arch).with_fresh_classifier(network, arch.num_classes)
    return _feature_maps(network, arch, out_indices) if features_only else network


def _feature_maps(network: nn.Module, arch: Architecture, out_indices: Sequence[int] | None) -> nn.Module:
    maps = family_of(arch).feature_maps(network, arch)
    return maps if out_indices is None else maps.choose(out_indices)


def _architecture(name: str) -> Architecture:
    """The architecture of a model of the index; for a name without a tag, of the first model with that name."""
    specs = load_index().values()
    first = next((spec for spec in specs if spec.arch == name), None)
    if first is None or any(name in spec.aliases for spec in specs):
        return get_spec(name).architecture
    tell_which(name, first, specs)
    return first.architecture


def _pretrained(spec: ModelSpec) -> tuple[nn.Module, Architecture]:
    """The network of a model's published weights, and its architecture."""
    network, report = load_checkpoint(fetch_weights(spec.name), spec.architecture)
    return network, report.architecture
