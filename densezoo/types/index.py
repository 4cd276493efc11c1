"""What the index knows of published weights."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from densezoo.errors import MetafileError
from densezoo.types.architecture import Architecture
from densezoo.types.shown import as_html, listed, percent


class Figure(float):
    """A published number that keeps its digits: ``str`` of 75.00 is "75.00".

    Args:
        value: the number; of a text the digits are kept as they are.
    """

    digits: str

    def __new__(cls, value: str | float) -> Figure:
        figure = super().__new__(cls, value)
        figure.digits = str(value)
        return figure

    def __str__(self) -> str:
        return self.digits


@dataclass(frozen=True)
class FileHash:
    """A hash that a publisher states, as hex digits: the whole of it, or its first digits.

    Args:
        md5, sha1, sha256: exactly one of them is given.
        of: the member of the published archive that has this hash; None: the published file itself.

    Raises:
        MetafileError: not exactly one hash, or one that can't be the beginning of such a hash.
    """

    md5: str | None = None
    sha1: str | None = None
    sha256: str | None = None
    of: str | None = None

    def __post_init__(self) -> None:
        stated = [name for name in HASH_DIGITS if getattr(self, name) is not None]
        if len(stated) != 1:
            raise MetafileError(f"expected one of {', '.join(HASH_DIGITS)}, found {', '.join(stated) or 'none'}")
        if not re.fullmatch(rf"[0-9a-f]{{1,{HASH_DIGITS[self.algorithm]}}}", self.digits):
            expected = f"up to {HASH_DIGITS[self.algorithm]} hex digits in lower case"
            raise MetafileError(f"{self.algorithm} is {self.digits!r}; expected {expected}")

    @property
    def algorithm(self) -> str:
        """Its name in `hashlib`."""
        return next(name for name in HASH_DIGITS if getattr(self, name) is not None)

    @property
    def digits(self) -> str:
        """The stated hex digits."""
        return str(getattr(self, self.algorithm))

    @property
    def is_whole(self) -> bool:
        """Whether all digits are stated."""
        return len(self.digits) == HASH_DIGITS[self.algorithm]

    @property
    def extent(self) -> str:
        """How much of which hash is stated, in words: "md5", "8 digits of the sha256", "sha1 of a.caffemodel in it"."""
        digits = "" if self.is_whole else f"{len(self.digits)} digits of the "
        return f"{digits}{self.algorithm}" + ("" if self.of is None else f" of {self.of} in it")

    def __str__(self) -> str:
        stated = f"the {self.algorithm} {self.digits}"
        if not self.is_whole:
            stated = f"a {self.algorithm} that begins with {self.digits}"
        return stated if self.of is None else f"a member {self.of} with {stated}"


HASH_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}  # how many hex digits each has


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
        hashes: further hashes that are stated: of another kind, or of a member of the archive that the file is.
        keymap: the key table of its family that names its tensors.
        license: SPDX name, or None where the publisher is silent.
        converted_from: where the publisher has the weights from.
        note: what a user has to know.
        withdrawn: since when its publisher no longer offers it, and why; None: he does, as far as is known.
        not_loadable: why densezoo can't read it; None: it can.
    """

    framework: str
    format: str
    url: str | None = None
    path: str | None = None
    mirrors: tuple[str, ...] = ()
    file_size: int | None = None
    sha256: str | None = None
    hash_prefix: str | None = None
    hashes: tuple[FileHash, ...] = ()
    keymap: str | None = None
    license: str | None = None
    converted_from: str | None = None
    note: str | None = None
    withdrawn: str | None = None
    not_loadable: str | None = None

    @property
    def stated_hashes(self) -> tuple[FileHash, ...]:
        """Every hash that its publisher states, whole or in part."""
        own = self.sha256 or self.hash_prefix
        return (*([FileHash(sha256=own)] if own else []), *self.hashes)

    @property
    def checks(self) -> str:
        """What a fetched file is held against, in words: "size and 8 digits of the sha256", "nothing"."""
        stated = [each.extent for each in self.stated_hashes]
        return " and ".join([*(["size"] if self.file_size is not None else []), *stated]) or "nothing"

    @property
    def is_hashed(self) -> bool:
        """Whether its publisher states a hash of any kind, whole or in part."""
        return bool(self.stated_hashes)

    def is_file(self, sha256: str) -> bool:
        """Whether a file with this sha256 (64 hex digits) is this file; False where no sha256 of it is stated."""
        stated = [each.digits for each in self.stated_hashes if each.sha256 is not None and each.of is None]
        return bool(stated) and all(sha256.startswith(digits) for digits in stated)

    def __repr__(self) -> str:
        size = "" if self.file_size is None else f", {self.file_size / 1e6:,.1f} MB"
        gone = ", withdrawn" * (self.withdrawn is not None) + ", not loadable" * (self.not_loadable is not None)
        file = (self.path or self.url or "").rpartition("/")[2] or "no place"
        return f"<WeightSource {file}: {self.framework} ({self.format}){size}{gone}>"


@dataclass(frozen=True)
class ReportedResult:
    """What a publisher claims for a model, and where the claim stands.

    Args:
        dataset: a name of `densezoo.data.datasets`, with a plus where the training images were augmented; any other
            name only together with ``not_evaluable``.
        protocol: the name of the preprocessing; None: nobody knows it, as ``not_evaluable`` says.
        top1, top5: percent, a `Figure` where it comes from a metafile; one of them may be None.
        published_by: who claims it.
        where: file, line and commit, or the document.
        note: what is known of it beside that.
        tta: the test-time augmentation (`densezoo.data.views`); None: each image once.
        not_evaluable: why densezoo can't measure the same; None: it can.
    """

    dataset: str
    protocol: str | None
    top1: float | None
    top5: float | None
    published_by: str
    where: str
    note: str | None = None
    tta: str | None = None
    not_evaluable: str | None = None

    def __repr__(self) -> str:
        named = (("top-1", self.top1), ("top-5", self.top5))
        figures = [f"{name} {percent(value)}" for name, value in named if value is not None]
        view = "" if self.tta is None else f" with {self.tta}"
        under = self.protocol or "an unknown protocol"
        return f"<ReportedResult {', '.join(figures)} on {self.dataset} under {under}{view}, by {self.published_by}>"


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
        not_evaluable: why densezoo can't evaluate it on what it was published for; None: it can.
        multi_label: whether an image may have several of the classes.
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
    not_evaluable: str | None = None
    multi_label: bool = False

    @property
    def arch(self) -> str:
        """The name before the dot."""
        return self.name.partition(".")[0]

    @property
    def tag(self) -> str:
        """The name after the dot: whose training."""
        return self.name.partition(".")[2]

    @property
    def readable_weights(self) -> tuple[WeightSource, ...]:
        """The published files that densezoo can read."""
        return tuple(source for source in self.weights if source.not_loadable is None)

    @property
    def usable_weights(self) -> tuple[WeightSource, ...]:
        """The published files that can still be had, and that densezoo can read."""
        return tuple(source for source in self.readable_weights if source.withdrawn is None)

    @property
    def headline(self) -> ReportedResult | None:
        """The first top-1 of single views under the weights' own protocol, or else the first published result."""
        own = (r for r in self.reported if r.protocol == self.protocol and r.top1 is not None and r.tta is None)
        return next(own, self.reported[0] if self.reported else None)

    def __repr__(self) -> str:
        files = f"{len(self.weights)} file{'s' * (len(self.weights) != 1)} of weights"
        return f"<ModelSpec {self.name}: {self.num_params:,} parameters, protocol {self.protocol}, {files}>"

    def _repr_html_(self) -> str:
        """What is known of it, for notebooks."""
        best = self.headline
        published = best and f"{percent(best.top1)} on {best.dataset} under {best.protocol}, by {best.published_by}"
        rows = {
            "architecture": self.arch,
            "parameters": f"{self.num_params:,}",
            "classes": self.architecture.num_classes,
            "protocol": self.protocol,
            "top-1, published": published,
            "weights": listed(f"{each.framework} ({each.format})" for each in self.weights),
            "published by": self.publisher,
            "license": self.license,
            "port of": self.port_of,
            "paper": self.paper,
            "also called": listed(self.aliases),
        }
        return as_html(self.name, rows)
