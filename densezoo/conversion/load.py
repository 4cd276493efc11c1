"""A file of weights -> the network that it holds."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from torch import nn

from densezoo.conversion.match import convert, read_network
from densezoo.errors import ConfigError
from densezoo.families import family_of
from densezoo.formats.safetensors import stated_facts
from densezoo.protocols.own import from_fields
from densezoo.threads import one_thread
from densezoo.types import Architecture, Checkpoint, ConversionReport


def load_checkpoint(
    path: str | Path, architecture: Architecture | None = None, **options: object
) -> tuple[nn.Module, ConversionReport]:
    """Load the network of a checkpoint file, in eval mode, with a report on every tensor.

    Args:
        path: the file, of any source and format.
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, another one, or an incomplete one.
    """
    with one_thread():
        return build_network(read_network(path, architecture, **options), architecture, **options)


def build_network(
    checkpoint: Checkpoint, architecture: Architecture | None = None, **options: object
) -> tuple[nn.Module, ConversionReport]:
    """The network of what was read from a file, in eval mode, and what became of every tensor.

    Args:
        checkpoint: with its numbers.
        architecture: what it has to be; None: what its tensors say.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        CheckpointError: it holds no network of a known family, another one, or an incomplete one.
    """
    arch, state_dict, report = convert(checkpoint, architecture, **options)
    with torch.device("meta"):  # the file's weights come in their place
        network = family_of(arch).network(arch, draw_weights=False)
    network.load_state_dict(state_dict, assign=True)
    stated = stated_facts(Path(checkpoint.path), checkpoint.metadata)
    name = _protocol_name(stated.get("protocol"), checkpoint.path)
    report = dataclasses.replace(report, stated=stated)
    return network.eval(), dataclasses.replace(report, protocol=name) if name else report


def _protocol_name(stated: object, path: str) -> str | None:
    """The name of the protocol that a file states; of a user's own, stated whole, `get_protocol` knows it from then on.

    One that can't be a protocol keeps its name: the weights may be used, and what needs the protocol refuses it.
    """
    if isinstance(stated, dict):
        try:
            return from_fields(stated, f"{path}: protocol").name
        except ConfigError:
            stated = stated.get("name")
    return stated if isinstance(stated, str) else None
