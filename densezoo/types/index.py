"""What the index knows of published weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from densezoo.types.architecture import Architecture


@dataclass(frozen=True)
class WeightSource:
    """One published file of weights.

    Args:
        framework: what wrote it ("torch", "torch7", ...).
        format: the file's format ("pickle", "safetensors", "t7", ...).
        url: where it is published; None for a file that ships with densezoo.
        path: where it ships, relative to the repository; None for a download.
        mirrors: further places of the same bytes.
        file_size: bytes, or None where nobody states it.
        sha256: 64 hex digits, or None where nobody states it.
        hash_prefix: the first digits of the sha256, where the file's name carries them.
        keymap: the key table of its family that names its tensors.
        license: SPDX name, or None where the publisher is silent.
        converted_from: where the publisher has the weights from.
        note: what a user has to know.
    """

    framework: str
    format: str
    url: str | None = None
    path: str | None = None
    mirrors: tuple[str, ...] = ()
    file_size: int | None = None
    sha256: str | None = None
    hash_prefix: str | None = None
    keymap: str | None = None
    license: str | None = None
    converted_from: str | None = None
    note: str | None = None

    @property
    def is_hashed(self) -> bool:
        """Whether its publisher states a hash, whole or in part."""
        return self.sha256 is not None or self.hash_prefix is not None

    def is_file(self, sha256: str) -> bool:
        """Whether a file with this sha256 (64 hex digits) is this file, as far as its publisher says."""
        if self.sha256 is not None:
            return self.sha256 == sha256
        return self.hash_prefix is not None and sha256.startswith(self.hash_prefix)


@dataclass(frozen=True)
class ReportedResult:
    """What a publisher claims for a model: percent, and where the claim stands."""

    dataset: str
    protocol: str
    top1: float
    top5: float | None
    published_by: str
    where: str
    note: str | None = None


@dataclass(frozen=True)
class ModelSpec:
    """Everything the index knows of one set of weights, from every publisher that speaks of them.

    Args:
        name: ``arch.tag``, such as ``densenet169.tv_in1k``.
        publisher: who published the weights or the figures first; the collection's name in the metafile.
        config: the config file, relative to the repository; it owns the architecture.
        architecture: read from that config.
        protocol: the name of the protocol that the weights are used with.
        num_params: trainable parameters.
        flops: {convention: count} (FLOP conventions: `densezoo.families.flops`).
        metafiles: where its entries stand, relative to the repository.
        image_size: side in pixels of the square image that the FLOPs are counted at.
        aliases: older names and other publishers' names.
        named_by: {alias: the publisher whose name it is}.
        weights: the files, most direct one first.
        reported: what its publishers claim.
        port_of: the name of the model whose weights these are, converted to another framework; None: trained so.
        paper: URL.
        code: URL.
        license: SPDX name.
        recipe: how it was trained, as its publishers state it: {field ("batch size", "LR"): value}.
    """

    name: str
    publisher: str
    config: str
    architecture: Architecture
    protocol: str
    num_params: int
    flops: Mapping[str, int]
    metafiles: tuple[str, ...]
    image_size: int | None = None
    aliases: tuple[str, ...] = ()
    weights: tuple[WeightSource, ...] = ()
    reported: tuple[ReportedResult, ...] = ()
    port_of: str | None = None
    paper: str | None = None
    code: str | None = None
    license: str | None = None
    recipe: Mapping[str, object] = field(default_factory=dict)
    named_by: Mapping[str, str] = field(default_factory=dict)

    @property
    def arch(self) -> str:
        """The name before the dot."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """The name after the dot: whose training."""
        return self.name.partition(".")[2]

    @property
    def headline(self) -> ReportedResult | None:
        """The first figure that is published under the weights' own protocol, or else the first published one."""
        own = (result for result in self.reported if result.protocol == self.protocol)
        return next(own, self.reported[0] if self.reported else None)
