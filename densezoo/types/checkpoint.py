"""What a file holds, how its source names it, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from densezoo.types.architecture import Architecture
from densezoo.types.computation import Node
from densezoo.types.shown import as_html, listed

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Description:
    """What a config.json or a training run's arguments say of the network that a file's tensors are of, unchanged.

    Args:
        stated_in: the file that says it, and where in it, for messages.
        kind: "config": Hugging Face's config.json in the file's folder; "arguments": those of the training run, in
            the checkpoint.
        facts: {name: value}.
    """

    stated_in: str
    kind: Literal["config", "arguments"]
    facts: Mapping[str, object]


@dataclass(frozen=True)
class NamedNetwork:
    """The network that something beside a file's tensors names: a config.json, a run's arguments.

    Args:
        stated_in: what names it, for messages.
        name: the system's name for it, without a tag.
        arguments: what the system's function takes beside the name to build it.
        fields: {field of the family's `Architecture`: its value in that network}; None: none of the family's networks.
        system: whose name it is.
    """

    stated_in: str
    name: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    fields: Mapping[str, object] | None = None
    system: str = "timm"


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file, under the file's own names.

    Args:
        path: the file, for messages.
        format: what it is: "pytorch", "safetensors", "keras-h5", ...
        tensors: {name in the file: tensor on the CPU}, in the file's order.
        dropped: {kind of thing that is no weight of the model: how many}.
        metadata: further facts that the file states.
        source: the system, where the reader knows it; None where the names tell.
        semantics: {field of `Architecture`: its value, as the file states it}.
        graph: the computation, where the file (or the description beside it) holds it; else empty.
        hints: what the reader used beside the tensors, in words.
        descriptions: what else describes the network: a config.json beside the file, a run's arguments in it.
        described: the networks that the descriptions name; empty until a family has read them.
        undescribed_layers: names of layers of a file that doesn't say what they compute (Keras's weights alone).
        modules: the layers, where a file says of its tensors nothing but which layer takes them
            (`densezoo.formats.torch7.layers`); a family makes named tensors of them.
    """

    path: str
    format: str
    tensors: Mapping[str, Tensor]
    dropped: Mapping[str, int] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    source: str | None = None
    semantics: Mapping[str, object] = field(default_factory=dict)
    graph: tuple[Node, ...] = ()
    hints: tuple[str, ...] = ()
    descriptions: tuple[Description, ...] = ()
    modules: tuple[object, ...] = ()
    described: tuple[NamedNetwork, ...] = ()
    undescribed_layers: tuple[str, ...] = ()


LONE_MATRIX = "*"  # in place of a template: the only layer whose weight is a matrix, whatever its name


@dataclass(frozen=True)
class Param:
    """How one parameter or statistic is made from a source's tensors.

    Args:
        ends: what the source appends to the layer's name, one for each tensor that the operation takes.
        op: a name of `densezoo.families.operations.OPERATIONS`.
    """

    ends: tuple[str, ...]
    op: str = "identity"


@dataclass(frozen=True)
class KeyMap:
    """How one source names the tensors of a family's networks, and what it computes with them: data, not code.

    Args:
        name: the source.
        templates: {role of a layer: its names in this source}; the numbers in braces are those of `Family.numbers`.
            Of several names a file uses one; LONE_MATRIX stands for any.
        params: {kind of layer, or a role whose layers differ from others of its kind: {canonical parameter or
            statistic: how it is made}}.
        semantics: {field of `Architecture`: its value in this source, unless the file says otherwise}.
        protocol: the named preprocessing that the source's networks expect.
        notes: what a user has to know of every network of this source.
        assumes: what a file without a computation leaves open, and how it is taken.
        requires: {key of a checkpoint's metadata: value} without which the table doesn't apply.
        asks: {(field that tensors show, its value): (field that they don't show and in which this source's networks
            with that value differ, {its value: the networks that have it})}. A file of such a network is refused
            unless the file or the caller states the second field.
        shows: {field that tensors show: its value in the networks that the table is for}; of two tables that name a
            file's tensors equally well, the one for its network is taken.
        explains: {layer that files of weights list without what it computes: what it computes in this source's
            networks, and where densezoo does that}.
    """

    name: str
    templates: Mapping[str, tuple[str, ...]]
    params: Mapping[str, Mapping[str, Param]]
    semantics: Mapping[str, object] = field(default_factory=dict)
    protocol: str | None = None
    notes: tuple[str, ...] = ()
    assumes: str = "as this source publishes it"
    requires: Mapping[str, str] = field(default_factory=dict)
    asks: Mapping[tuple[str, object], tuple[str, Mapping[object, str]]] = field(default_factory=dict)
    shows: Mapping[str, object] = field(default_factory=dict)
    explains: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ConversionReport:
    """What became of every tensor of a checkpoint; a conversion stands only if the last three are empty.

    Args:
        source: the system that the file is of: its key table's name, or what its reader knows.
        format: the file's format.
        architecture: what the tensors were held against.
        matched: how many tensors found their place.
        dropped: {kind: how many} that are no weights of the model.
        hints: where every choice that no tensor shows comes from: the file, the caller, the source's table.
        protocol: the preprocessing that the file states, or else the source's; None where the table has none.
        missing: names the network needs and the file lacks, as the source would write them.
        unexpected: names in the file that the network has no place for.
        mismatched: {name: (expected shape, found shape)}.
        stated: what densezoo wrote into the file (docs/formats.md); empty of any other file.
    """

    source: str
    format: str
    architecture: Architecture
    matched: int
    dropped: Mapping[str, int]
    hints: tuple[str, ...] = ()
    protocol: str | None = None
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    mismatched: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = field(default_factory=dict)
    stated: Mapping[str, object] = field(default_factory=dict)

    @property
    def exact(self) -> bool:
        """Whether every tensor of the network is there, in its shape, and nothing else is."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __repr__(self) -> str:
        outcome = "exact" if self.exact else "not exact"
        return f"<ConversionReport {self.source} names in a {self.format} file: {self.matched} tensors, {outcome}>"

    def _repr_html_(self) -> str:
        """What became of the tensors, for notebooks."""
        rows = {
            "architecture": listed(f"{key}={value}" for key, value in vars(self.architecture).items()),
            "matched": f"{self.matched} tensors",
            "dropped": listed(f"{count} ({kind})" for kind, count in self.dropped.items()),
            "missing": listed(self.missing),
            "unexpected": listed(self.unexpected),
            "other shape": listed(self.mismatched),
            "exact": "yes" if self.exact else "no",
            "from elsewhere": listed(self.hints),
        }
        return as_html(f"{self.source} names in a {self.format} file", rows)

    def __str__(self) -> str:
        arch = self.architecture
        lines = [
            f"{self.source} names in a {self.format} file",
            f"  architecture: {', '.join(f'{key}={value}' for key, value in vars(arch).items())}",
            f"  tensors: {self.matched} matched"
            + "".join(f", {count} dropped ({kind})" for kind, count in self.dropped.items()),
        ]
        lines += [f"  {hint}" for hint in self.hints]
        return "\n".join(lines)
