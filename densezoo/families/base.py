"""What a family of networks gives to the rest of densezoo, which asks a family and never one network by its name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from densezoo.types import Architecture, Checkpoint, Computation, Freedom, KeyMap, Layer, NamedNetwork

if TYPE_CHECKING:
    from torch import nn

    from densezoo.families.naming import Naming
    from densezoo.families.systems import System

A = TypeVar("A", bound=Architecture)
Position = tuple[str, int, int]  # role, block, layer
Fact = str | float | int | None


class Family(ABC, Generic[A]):
    """One family of networks: a folder of this package, whose ``__init__`` makes the one object of this class.

    Each method imports the module of the folder that it needs, so that listing the index imports no torch.
    """

    #: The name of its folder, and of ``model = dict(family=...)`` in a config.
    name: ClassVar[str]
    #: What messages call one network of it: "DenseNet".
    title: ClassVar[str]
    #: A layer that every network of the family has; a file in which a key table names its weight is of that table.
    anchor: ClassVar[Position]
    #: Fields of the architecture that tensors show, so that a difference can be named.
    inferred: ClassVar[tuple[str, ...]]
    #: Those of them that tell one network of the family from another in a message.
    sizes: ClassVar[tuple[str, ...]]
    #: Roles of the layers that a file of the features alone lacks.
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    #: (a pattern of a tensor's name, what a file with such a name is where no table applies to it).
    fragments: ClassVar[tuple[tuple[str, str], ...]] = ()

    @property
    def a_title(self) -> str:
        """The title after its article: "a DenseNet"."""
        spelled = self.title[1].isupper()  # "an RDNet", "an MSDNet", but "a ResNet"
        return f"{'an' if self.title[0] in ('AEFHILMNORSX' if spelled else 'AEIOU') else 'a'} {self.title}"

    @property
    @abstractmethod
    def architecture(self) -> type[A]:
        """The dataclass of what fixes a network's function up to its weights."""

    @abstractmethod
    def layers(self, arch: A) -> Iterable[Layer]:
        """Every parametric layer, in the order in which the input meets them."""

    @abstractmethod
    def network(self, arch: A, *, draw_weights: bool = True) -> nn.Module:
        """The module: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

        Args:
            arch: what to build.
            draw_weights: False where others replace them.
        """

    @property
    @abstractmethod
    def keymaps(self) -> Sequence[KeyMap]:
        """The key table of every source."""

    @abstractmethod
    def kind_of(self, role: str) -> str:
        """The `Layer.kind` of the layers that play a role."""

    @abstractmethod
    def numbers(self, block: int, layer: int, rank: int) -> Mapping[str, int]:
        """What stands in the braces of a key table's templates.

        Args:
            block, layer: `Layer.block` and `Layer.index`.
            rank: of the layer among those of its kind, from 0.
        """

    def ranks(self, naming: Naming) -> Mapping[Position, int]:
        """{position: rank among the layers of its kind} in a file whose names are such ranks.

        Args:
            naming: the table as the file uses it, without ranks.
        """
        return {}

    @abstractmethod
    def infer(self, naming: Naming) -> A:
        """What the tensors' names and shapes say; a field whose tensor isn't there keeps its default."""

    def fold_modules(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint with named tensors in place of layers without names (Torch7), where it has such."""
        return checkpoint

    def named_networks(self, checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
        """The networks that are named beside a file's tensors, in the family's fields."""
        return checkpoint.described

    @abstractmethod
    def computation(self, arch: A) -> Computation:
        """The steps from images to logits, said once: writers, the graph checker and the FLOP count go by them."""

    @property
    @abstractmethod
    def freedom(self) -> Freedom:
        """In what the computations of networks with the same tensors may differ."""

    def same_function(self, arch: A) -> A:
        """The architecture with one spelling of all that give the same outputs, to compare two."""
        return arch

    @property
    @abstractmethod
    def systems(self) -> Mapping[str, System[A]]:
        """{name: what the system can express of the family's networks, and how it builds, runs and writes them}.

        ``densezoo``, whose module is `network`, can express all of them.
        """

    @abstractmethod
    def smallest_side(self, arch: A) -> int:
        """Side in pixels of the smallest square image on which every layer of the network has an effect."""

    @abstractmethod
    def stages(self, arch: A) -> Sequence[tuple[int, int]]:
        """(channels, image side / map side) of every feature map that `feature_maps` gives."""

    @abstractmethod
    def feature_maps(self, network: nn.Module, arch: A) -> nn.Module:
        """A module that gives the feature maps of every stage in place of logits: images -> list of (N, C, H, W).

        Args:
            network: any system's, of canonical names; it gives up its features.
            arch: what it was built from.
        """

    @abstractmethod
    def with_fresh_classifier(self, network: nn.Module, num_classes: int) -> nn.Module:
        """The network with another classifier in place of its own, to fine-tune it on other classes.

        Args:
            network: any system's, of canonical names.
            num_classes: rows of the new classifier.
        """

    @property
    def fields(self) -> Mapping[str, tuple[str, Callable[[A], Fact]]]:
        """{name in ``--where`` and listings: (what it is, its value for an architecture)} that the family adds."""
        return {}

    @abstractmethod
    def summary(self, arch: A) -> str:
        """The sentences of a model card that say how the network is built."""

    @property
    @abstractmethod
    def citation(self) -> str:
        """The BibTeX entry of the paper."""
