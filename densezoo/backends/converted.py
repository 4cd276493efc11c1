"""Networks converted for a runtime, kept in the cache under what they were made from: a second start is quick."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from importlib import metadata

import torch
from torch import nn

from densezoo.errors import BackendError, FormatError
from densezoo.families import architecture_values, family_of
from densezoo.files import replacing
from densezoo.formats.onnx.writer import onnx_model
from densezoo.paths import cache_folder
from densezoo.types import Architecture, Protocol

_FORMAT = b"densezoo: a converted network, 1\n"  # goes into the checksum, so that files of another form are made anew


def weights_sha256(network: nn.Module) -> str:
    """The sha256 of a network's weights: names, types, shapes and numbers.

    Args:
        network: its state_dict is read.
    """
    digest = sha256()
    for name, tensor in network.state_dict().items():
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {tuple(values.shape)}\n".encode())
        digest.update(values.flatten().view(torch.uint8).numpy())
    return digest.hexdigest()


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """{distribution: its version}, for `kept`'s facts.

    Args:
        packages: names of installed distributions.
    """
    return {name: metadata.version(name) for name in packages}


def kept(kind: str, facts: Mapping[str, object], make: Callable[[], bytes]) -> bytes:
    """What was made from these facts before, or else what ``make`` makes now.

    A file that is not what was written is made anew. Where the cache can't be read or written, it is made every time.

    Args:
        kind: of the content, which ends the file's name: "onnx".
        facts: JSON values of all that the content depends on.
        make: makes the content.
    """
    body = json.dumps(facts, sort_keys=True).encode()
    try:
        path = cache_folder() / "converted" / f"{sha256(body).hexdigest()[:32]}.{kind}"
    except RuntimeError:  # a user without a home
        return make()
    stored = b""
    with contextlib.suppress(OSError):
        stored = path.read_bytes()
    checksum, content = stored[:32], stored[32:]
    if checksum == sha256(_FORMAT + body + content).digest():
        return content
    content = make()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as hidden:
            hidden.write_bytes(sha256(_FORMAT + body + content).digest() + content)
    return content


def identity(network: nn.Module, architecture: Architecture, protocol: Protocol) -> dict[str, object]:
    """The facts on which a network with its normalisation depends, for `kept`.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
    """
    return {
        "weights": weights_sha256(network),
        "architecture": architecture_values(architecture),
        "normalisation": [protocol.mean, protocol.std, protocol.value_range, protocol.float_pixels],
        "versions": versions_of(["densezoo", "onnx"]),
    }


def converted_to_onnx(network: nn.Module, architecture: Architecture, protocol: Protocol, backend: str) -> bytes:
    """An ONNX file: the protocol's pixels (N, C, H, W) -> logits (N, num_classes), for any N, H and W.

    Args:
        network: densezoo's module.
        architecture: of the network.
        protocol: how pixels become the floats that the network was trained on.
        backend: its name, for messages.

    Raises:
        BackendError: a step of the network that can't be written.
        MissingDependencyError: no onnx.
    """

    def make() -> bytes:
        weights = {name: tensor.detach().cpu() for name, tensor in network.state_dict().items()}
        try:
            return onnx_model(family_of(architecture).computation(architecture), weights, {}, backend, protocol)
        except FormatError as error:
            raise BackendError(f"--backend {error}") from None

    return kept("onnx", identity(network, architecture, protocol), make)
