"""What a family of networks gives to the rest of densezoo, which asks a family and never one network by its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from densezoo.errors import BackendError, UnknownNameError
from densezoo.types import Architecture

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from densezoo.families.feature_maps import StageMaps
    from densezoo.families.naming import Naming
    from densezoo.families.systems import System
    from densezoo.types import Checkpoint, Computation, Freedom, KeyMap, Layer, NamedNetwork

A = TypeVar("A", bound=Architecture)
A_contra = TypeVar("A_contra", bound=Architecture, contravariant=True)
T = TypeVar("T")
Position = tuple[str, int, int]  # role, block, layer
Fact = str | float | int | None


class Part(Generic[T]):
    """A function, class or table of one of the folder's modules, which is imported when the part is asked for.

    So listing the index imports no torch, and a question goes straight to the module that answers it.

    Args:
        module: of the folder.
        name: in that module.
        default: the part of a family whose folder has no such module, or whose module has no such name.
    """

    def __init__(self, module: str, name: str, default: T | None = None) -> None:
        self.module, self.name, self.default = module, name, default

    def __get__(self, family: Family[Any], _: object = None) -> T:
        path = f"{__package__}.{family.name}.{self.module}"
        try:
            module = importlib.import_module(path)
        except ModuleNotFoundError as error:
            if self.default is None or error.name != path:
                raise
            return self.default
        part: T = getattr(module, self.name) if self.default is None else getattr(module, self.name, self.default)
        return part


class MakesNetwork(Protocol[A_contra]):
    """Makes the module: images (N, in_chans, H, W), float32 and normalised -> logits (N, num_classes)."""

    def __call__(self, arch: A_contra, *, draw_weights: bool = True) -> nn.Module:
        """The module.

        Args:
            arch: its architecture.
            draw_weights: False if the caller replaces them.
        """


def _keep_everything(network: nn.Module, mode: str) -> None:
    """`Parts.set_memory` of a family without a module for it.

    Raises:
        UnknownNameError: another mode than "none".
    """
    if mode != "none":
        raise UnknownNameError("memory mode", mode, ["none"])


def _has_no_kernels(network: nn.Module, copied: nn.Module, dtype: torch.dtype, kernels: object) -> None:
    """`Parts.fuse` of a family without a module for it.

    Raises:
        BackendError: always.
    """
    raise BackendError(f"there are no kernels for the blocks of {type(network).__name__}; use --backend cudagraphs")


class Parts(Generic[A]):
    """The parts of a family: functions, classes and tables of the modules of its folder."""

    #: Architecture -> every parametric layer, in the order in which the input passes them.
    layers: Part[Callable[[A], Iterable[Layer]]] = Part("layers", "layers")
    #: Role -> the `Layer.kind` of its layers.
    kind_of: Part[Callable[[str], str]] = Part("layers", "kind_of")
    #: Architecture -> side in pixels of the smallest square image for which every layer has an effect on the logits.
    smallest_side: Part[Callable[[A], int]] = Part("layers", "smallest_side")
    #: Architecture -> (channels, image side / map side) of every feature map of `feature_maps`.
    stages: Part[Callable[[A], Sequence[tuple[int, int]]]] = Part("layers", "stages")
    #: The module with fresh weights.
    network: Part[MakesNetwork[A]] = Part("network", "NETWORK")
    #: Architecture -> the steps from images to logits; writers, the graph checker and the FLOP count all use them.
    computation: Part[Callable[[A], Computation]] = Part("computation", "computation")
    #: How the computations of networks with the same tensors may differ.
    freedom: Part[Freedom] = Part("computation", "FREEDOM")
    #: The key table of every source; the first has the canonical names.
    keymaps: Part[Sequence[KeyMap]] = Part("keymaps", "KEYMAPS")
    #: (block, layer, the layer's number among the layers of its kind, from 0) -> {name in the braces of a key table's
    #: templates: number}.
    numbers: Part[Callable[[int, int, int], Mapping[str, int]]] = Part("keymaps", "numbers")
    #: Names and shapes of a file -> its architecture; a field whose tensor is absent has its default.
    infer: Part[Callable[[Naming], A]] = Part("infer", "infer_architecture")
    #: A key table whose names are ranks, as a file uses it -> {position: rank among the layers of its kind}.
    ranks: Part[Callable[[Naming], Mapping[Position, int]]] = Part("infer", "ranks", lambda naming: {})
    #: A checkpoint of layers without names (Torch7) -> the same checkpoint with named tensors.
    fold_modules: Part[Callable[[Checkpoint], Checkpoint]] = Part(
        "torch7", "fold_modules", lambda checkpoint: checkpoint
    )
    #: Checkpoint -> the networks that are named beside its tensors, with the family's fields.
    named_networks: Part[Callable[[Checkpoint], tuple[NamedNetwork, ...]]] = Part(
        "timm", "named_networks", lambda checkpoint: checkpoint.described
    )
    #: Architecture, which the family's row for timm can express -> (timm's name of it, arguments that name lacks).
    timm_model: Part[Callable[[A], tuple[str, Mapping[str, object]]]] = Part("timm", "timm_model")
    #: {name: what the system can express of the family's networks, and how it builds, runs and writes them};
    #: ``densezoo``, whose module is `network`, can express all of them.
    systems: Part[Mapping[str, System[A]]] = Part("capabilities", "SYSTEMS")
    #: (any system's network with canonical names, its architecture) -> a module: images -> the feature maps of every
    #: stage, a list of (N, C, H, W). The network's modules become the new module's.
    feature_maps: Part[Callable[[nn.Module, A], StageMaps]] = Part("features", "FeatureMaps")
    #: (any system's network with canonical names, classes) -> the network with a fresh classifier of as many rows.
    with_fresh_classifier: Part[Callable[[nn.Module, int], nn.Module]] = Part("features", "with_fresh_classifier")
    #: The family's own fields in ``--where`` and listings: {name: (what it is, architecture -> value)}.
    fields: Part[Mapping[str, tuple[str, Callable[[A], Fact]]]] = Part("card", "FIELDS")
    #: (the module, channels-last and in eval mode, its architecture) -> the same function without gradients in fewer
    #: steps of plain PyTorch: images (N, in_chans, H, W) -> logits (N, num_classes).
    in_buffers: Part[Callable[[nn.Module, A], Callable[[Tensor], Tensor]]] = Part(
        "buffers", "in_buffers", lambda network, arch: network
    )
    #: (densezoo's own network, a copy of it in a precision, its type, a backend's kernels): the kernels compute the
    #: copy's blocks from now on.
    fuse: Part[Callable[[nn.Module, nn.Module, torch.dtype, Any], None]] = Part("fused", "fuse", _has_no_kernels)
    #: {mode: what training keeps of each block's tensors for backward}; "none" is the plain module.
    memory_modes: Part[Mapping[str, str]] = Part("memory", "MEMORY_MODES", {"none": "everything, by plain modules"})
    #: (densezoo's own network, one of `memory_modes`): the network keeps that from now on; its function stays.
    set_memory: Part[Callable[[nn.Module, str], None]] = Part("memory", "set_memory", _keep_everything)
    #: Architecture -> the sentences of a model card that say how the network is built.
    summary: Part[Callable[[A], str]] = Part("card", "summary")
    #: The BibTeX entry of the paper.
    citation: Part[str] = Part("card", "CITATION")


@dataclass(frozen=True, eq=False)
class Family(Parts[A]):
    """One family of networks: a folder of this package, whose ``__init__`` makes the one object of this class.

    Args:
        title: what messages call one of its networks: "DenseNet".
        architecture: the dataclass whose fields, with the weights, fix a network's function; its ``family`` is the
            name of the folder, and of ``model = dict(family=...)`` in a config.
        anchor: a layer that every network of the family has; a key table applies to a file that has the table's name
            for it.
        inferred: fields of the architecture that tensors show.
        sizes: fields of ``inferred`` by which messages tell one network of the family from another.
        head: roles of the layers that a file of the features alone lacks.
        fragments: (pattern of a tensor's name, what a file with such a name is if no key table applies to it).
        foreign_layers: pattern of the names of layers without weights that none of its networks has
            (`Checkpoint.undescribed_layers`).
    """

    title: str
    architecture: type[A]
    anchor: Position
    inferred: tuple[str, ...]
    sizes: tuple[str, ...]
    head: tuple[str, ...] = ("classifier",)
    fragments: tuple[tuple[str, str], ...] = ()
    foreign_layers: str = r"(?!)"

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.architecture.family

    @property
    def a_title(self) -> str:
        """The title after its article: "a DenseNet"."""
        spelled = self.title[1].isupper()  # "an RDNet", "an MSDNet", but "a ResNet"
        return f"{'an' if self.title[0] in ('AEFHILMNORSX' if spelled else 'AEIOU') else 'a'} {self.title}"
