"""Converts a checkpoint of any system into a file for another system."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from torch import nn

from densezoo.conversion.export import TARGETS, export, extensions
from densezoo.conversion.load import load_checkpoint
from densezoo.conversion.verify import LARGEST_ERROR, largest_error, probe_images, system_of
from densezoo.errors import CheckpointError, ConfigError, UnknownNameError
from densezoo.families import architecture_values, families, family_of
from densezoo.files import written_as
from densezoo.formats.identity import file_sha256, unchanged
from densezoo.index.known import identify, own_protocol
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.types import ConversionReport

#: What a trained file states that its conversion states, too: without it other classes would be read from the logits.
_KEPT = ("class_names", "multi_label", "dataset")


class Written(TypedDict):
    """The file that `convert_checkpoint` wrote.

    Args:
        path: the file.
        to: the system it is for.
        sha256, source_sha256: of the file and of the source, 64 hex digits.
        verified: {file: largest error relative to the largest logit, or why its system did not run it}.
    """

    path: str
    to: str
    sha256: str
    source_sha256: str
    verified: dict[str, float | str]


def convert_checkpoint(
    source: str | Path, destination: str | Path, *, to: str | None = None, verify: bool = False, **options: object
) -> tuple[ConversionReport, Written]:
    """Write a checkpoint of any system for another system; the file is read back before it replaces an older one.

    Args:
        source: the checkpoint file.
        destination: the file to write; it is written whole or not at all.
        to: "densezoo" (safetensors that needs no config), or a system of `densezoo.conversion.export.TARGETS`; None:
            the first one of the destination's extension.
        verify: also run both files in their systems, if those are installed, and compare the logits with densezoo's.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Returns:
        The report on every tensor, and the file that was written.

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, or an incomplete one; the target can't express the
            network; the written file computes another function.
        UnknownNameError: no such target.
        ConfigError: the destination's extension is unknown, another target's, or the file is the source itself; file
            and index name different protocols.
    """
    if to is not None and to not in TARGETS:
        raise UnknownNameError("target", to, TARGETS)
    source, destination = Path(source), Path(destination)
    written_as(destination, "checkpoint", extensions(*families()), to)  # before a file is read
    if source.exists() and destination.exists() and destination.samefile(source):
        raise ConfigError(f"{destination}: is the checkpoint itself, which the result would replace; name another")
    with unchanged(source) as sha256:
        model, report = load_checkpoint(source, None, **options)
    to = written_as(destination, "checkpoint", extensions(family_of(report.architecture)), to)
    facts = {
        **{name: report.stated[name] for name in _KEPT if name in report.stated},
        "architecture": architecture_values(report.architecture),
        "protocol": _protocol(source, sha256, report),
        "origin": {"file": source.name, "format": report.format, "source": report.source},
        "sha256": sha256,
    }
    export(destination, to, report.architecture, model.state_dict(), facts)
    files = [(report.source, source), *([(to, destination)] if to != "densezoo" else [])]
    verified = _verify(model, report, files) if verify else {}
    return report, {
        "path": str(destination),
        "to": to,
        "sha256": file_sha256(destination),
        "source_sha256": sha256,
        "verified": verified,
    }


def _protocol(source: Path, sha256: str, report: ConversionReport) -> object:
    """What a conversion states of its pictures: a protocol's name; of a user's own, its fields; None: nobody says.

    Raises:
        ConfigError: file and index contradict each other.
    """
    stated = report.stated.get("protocol")
    name = own_protocol(source, identify(source, sha256)[0], report.protocol if stated else None, report.protocol)
    if stated or not name or name in PROTOCOLS:
        return stated or name or None
    return dataclasses.asdict(get_protocol(name))


def _verify(model: nn.Module, report: ConversionReport, files: Sequence[tuple[str, Path]]) -> dict[str, float | str]:
    """{"system file": largest relative error of its network's logits against ours, or why it was not run}.

    Raises:
        CheckpointError: more than a rounding error.
    """
    arch = report.architecture
    images = probe_images(arch)
    errors = {}
    for source, path in files:
        system = system_of(source, path, arch)
        error = errors[f"{system} {path.name}"] = largest_error(system, path, model, arch, images)
        if not isinstance(error, str) and not error <= LARGEST_ERROR:
            raise CheckpointError(
                f"{path}: in {system} its logits differ from densezoo's by {error:.1e} of the largest; "
                f"expected at most {LARGEST_ERROR:.0e}; don't use the conversion, and report this"
            )
    return errors
