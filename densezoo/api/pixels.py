"""Writes an ONNX file that takes pixels: the protocol's normalisation is a part of its graph."""

from __future__ import annotations

from pathlib import Path

import torch

from densezoo import protocols
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, ConfigError
from densezoo.families import family_of
from densezoo.files import replacing
from densezoo.formats.identity import unchanged
from densezoo.formats.onnx.writer import onnx_model
from densezoo.index.known import identify, own_protocol

EXTENSION = ".onnx"


def export_pixels(source: str | Path, destination: str | Path, protocol: str | None = None, **options: object) -> Path:
    """Write an ONNX file of any batch size: pixels (N, channels, H, W), as the protocol gives them -> logits.

    Pixels are uint8, of protocols that resize in floats float32. What decodes, resizes and crops pictures is not in it.

    Args:
        source: a checkpoint of any system.
        destination: the file, ending in .onnx; it is written whole or not at all.
        protocol: whose mean and deviation are in the graph; None: the weights' own.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, or an incomplete one; the written file would hold
            other weights.
        ConfigError: another extension; nobody knows the protocol, or file and index name different ones.
        MissingDependencyError: no onnx.
    """
    path = Path(destination)
    if path.suffix != EXTENSION:
        raise ConfigError(f"{path}: expected a name that ends in {EXTENSION}")
    with unchanged(source) as sha256:
        network, report = load_checkpoint(source, None, **options)
    stated = report.protocol if report.stated.get("protocol") else None
    name = protocol or own_protocol(source, identify(Path(source), sha256)[0], stated, report.protocol)
    if not name:
        raise ConfigError(f"{source}: doesn't say how pictures are prepared for it; name the protocol")
    computation = family_of(report.architecture).computation(report.architecture)
    weights = network.state_dict()
    facts = {"pixels": name}
    content = onnx_model(computation, weights, facts, str(path), protocols.get_protocol(name))
    from onnx import load_from_string, numpy_helper  # onnx_model has said if there is none

    stored = {each.name: numpy_helper.to_array(each) for each in load_from_string(content).graph.initializer}
    for node in computation.nodes:
        for weight in node.weights:
            if not torch.equal(torch.from_numpy(stored[weight].copy()), weights[weight]):
                raise CheckpointError(f"{path}: {weight} would read back as other numbers; not written. Report this")
    with replacing(path, lambda reason: CheckpointError(f"{path}: can't be written ({reason})")) as hidden:
        hidden.write_bytes(content)
    return path
