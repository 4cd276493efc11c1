"""The interface of a family of networks: all that the rest of densezoo may use of it."""

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
    """One family of networks: a folder of this package, whose ``__init__`` makes one object of a subclass.

    Each method imports the module of the folder that it needs, so that listing the index imports no torch.
    """

    #: The name of its folder, and of ``model = dict(family=...)`` in a config.
    name: ClassVar[str]
    #: What messages call one of its networks: "DenseNet".
    title: ClassVar[str]
    #: A layer that every network of the family has. A key table applies to a file that has the table's name for it.
    anchor: ClassVar[Position]
    #: Fields of the architecture that tensors show.
    inferred: ClassVar[tuple[str, ...]]
    #: Fields of ``inferred`` by which messages tell one network of the family from another.
    sizes: ClassVar[tuple[str, ...]]
    #: Roles of the layers that a file of the features alone lacks.
    head: ClassVar[tuple[str, ...]] = ("classifier",)
    #: (pattern of a tensor's name, what a file with such a name is if no key table applies to it).
    fragments: ClassVar[tuple[tuple[str, str], ...]] = ()

    @property
    def a_title(self) -> str:
        """The title after its article: "a DenseNet"."""
        spelled = self.title[1].isupper()  # "an RDNet", "an MSDNet", but "a ResNet"
        return f"{'an' if self.title[0] in ('AEFHILMNORSX' if spelled else 'AEIOU') else 'a'} {self.title}"

    @property
    @abstractmethod
    def architecture(self) -> type[A]:
        """The dataclass whose fields, with the weights, fix a network's function."""

    @abstractmethod
    def layers(self, arch: A) -> Iterable[Layer]:
        """Every parametric layer, in the order in which the input passes them.

        Args:
            arch: the network.
        """

    @abstractmethod
    def network(self, arch: A, *, draw_weights: bool = True) -> nn.Module:
        """The module: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes).

        Args:
            arch: its architecture.
            draw_weights: False if the caller replaces them.
        """

    @property
    @abstractmethod
    def keymaps(self) -> Sequence[KeyMap]:
        """The key table of every source."""

    @abstractmethod
    def kind_of(self, role: str) -> str:
        """The `Layer.kind` of the layers of a role.

        Args:
            role: as of `Layer`.
        """

    @abstractmethod
    def numbers(self, block: int, layer: int, rank: int) -> Mapping[str, int]:
        """{name in the braces of a key table's templates: number}.

        Args:
            block, layer: `Layer.block` and `Layer.index`.
            rank: the layer's number among the layers of its kind, from 0.
        """

    def ranks(self, naming: Naming) -> Mapping[Position, int]:
        """{position: rank among the layers of its kind}, for a file whose names are such ranks.

        Args:
            naming: the key table as the file uses it, without ranks.
        """
        return {}

    @abstractmethod
    def infer(self, naming: Naming) -> A:
        """The architecture that the tensors' names and shapes show; a field whose tensor is absent has its default.

        Args:
            naming: the key table as the file uses it.
        """

    def fold_modules(self, checkpoint: Checkpoint) -> Checkpoint:
        """Replace the checkpoint's layers without names (Torch7), if it has any, by named tensors.

        Args:
            checkpoint: any file.
        """
        return checkpoint

    def named_networks(self, checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
        """The networks that are named beside a file's tensors, with the family's fields.

        Args:
            checkpoint: the file.
        """
        return checkpoint.described

    @abstractmethod
    def computation(self, arch: A) -> Computation:
        """The steps from images to logits; writers, the graph checker and the FLOP count all use them.

        Args:
            arch: the network.
        """

    @property
    @abstractmethod
    def freedom(self) -> Freedom:
        """How the computations of networks with the same tensors may differ."""

    def same_function(self, arch: A) -> A:
        """One architecture for all that compute the same outputs, so that two can be compared.

        Args:
            arch: any of them.
        """
        return arch

    @property
    @abstractmethod
    def systems(self) -> Mapping[str, System[A]]:
        """{name: what the system can express of the family's networks, and how it builds, runs and writes them}.

        ``densezoo``, whose module is `network`, can express all of them.
        """

    @abstractmethod
    def smallest_side(self, arch: A) -> int:
        """Side in pixels of the smallest square image for which every layer has an effect on the logits.

        Args:
            arch: the network.
        """

    @abstractmethod
    def stages(self, arch: A) -> Sequence[tuple[int, int]]:
        """(channels, image side / map side) of every feature map of `feature_maps`.

        Args:
            arch: the network.
        """

    @abstractmethod
    def feature_maps(self, network: nn.Module, arch: A) -> nn.Module:
        """A module that returns the feature maps of every stage in place of logits: images -> list of (N, C, H, W).

        Args:
            network: any system's, with canonical names; its modules become the new module's.
            arch: its architecture.
        """

    @abstractmethod
    def with_fresh_classifier(self, network: nn.Module, num_classes: int) -> nn.Module:
        """Replace the network's classifier by a fresh one, to fine-tune it on other classes.

        Args:
            network: any system's, with canonical names.
            num_classes: rows of the new classifier.
        """

    @property
    def fields(self) -> Mapping[str, tuple[str, Callable[[A], Fact]]]:
        """The family's own fields in ``--where`` and listings: {name: (what it is, architecture -> value)}."""
        return {}

    @abstractmethod
    def summary(self, arch: A) -> str:
        """The sentences of a model card that say how the network is built.

        Args:
            arch: the network.
        """

    @property
    @abstractmethod
    def citation(self) -> str:
        """The BibTeX entry of the paper."""
