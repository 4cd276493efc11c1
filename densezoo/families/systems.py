"""The row type of every family's capability table: what a system can express, build, run and write of its networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from densezoo.types import Architecture, Computation, KeyMap, Layer, NamedNetwork

if TYPE_CHECKING:
    from torch import Tensor, nn

    from densezoo.families.base import Family

A = TypeVar("A", bound=Architecture)
Facts = Mapping[str, object]
TORCH_EXTENSIONS = (".pth", ".pt", ".pth.tar", ".bin")
Values = Mapping[str, tuple[object, ...]]  # {field of the architecture: values}


class WeightFile(Protocol):
    """A file that a system is to run."""

    @property
    def path(self) -> Path:
        """The file's path."""

    def tensors(self) -> Mapping[str, Tensor]:
        """Its tensors under its own names, without a wrapper's prefix."""

    def described(self) -> tuple[NamedNetwork, ...]:
        """The networks that are named beside its tensors."""


@dataclass(frozen=True)
class System(Generic[A]):
    """What one system can express of a family's networks, and how it builds, runs and writes them.

    Args:
        only: {field: the values that its networks can have}; fields that are absent can have any.
        only_built: the same for fields that limit only what its code builds (they matter in training alone).
        only_stored: the same for fields that limit only its files (its code takes other values; no file states them).
        cannot: {property that it can't have, in words: whether an architecture has it}.
        build: architecture -> the system's network, with canonical names; None: densezoo can't build it.
        run: (file, architecture, images) -> logits, by the system's own code; None: densezoo can't run it.
        sources: names of the key tables whose files it runs, beside the table of its own name.
        write: (path, architecture, canonical state_dict, facts): writes its file; None: densezoo can't write it.
        extensions: of the files that are written for it.
    """

    only: Values = field(default_factory=dict)
    only_built: Values = field(default_factory=dict)
    only_stored: Values = field(default_factory=dict)
    cannot: Mapping[str, Callable[[A], bool]] = field(default_factory=dict)
    build: Callable[[A], nn.Module] | None = None
    run: Callable[[WeightFile, A, Tensor], Tensor] | None = None
    sources: tuple[str, ...] = ()
    write: Callable[[Path, A, Mapping[str, Tensor], Facts], None] | None = None
    extensions: tuple[str, ...] = ()

    def cannot_build(self, arch: A) -> list[str]:
        """The fields and properties of an architecture that the system can't build; empty if it can build all.

        Args:
            arch: the network.
        """
        return self._misfits(arch, {**self.only_built, **self.only}, "=")

    def cannot_store(self, arch: A) -> list[str]:
        """The fields and properties of an architecture that the system's file can't have; empty if it can have all.

        Args:
            arch: the network.
        """
        return self._misfits(arch, {**self.only_stored, **self.only}, " ")

    def _misfits(self, arch: A, only: Values, between: str) -> list[str]:
        wrong = [name for name, values in only.items() if getattr(arch, name) not in values]
        texts = [f"{name}{between}{getattr(arch, name)!r}" for name in wrong]
        return texts + [text for text, applies in self.cannot.items() if applies(arch)]


def write_densezoo(path: Path, arch: Architecture, state_dict: Mapping[str, Tensor], facts: Facts) -> None:
    """Write densezoo's own file: canonical names, and the architecture in the facts.

    Args:
        path: the file to write.
        arch: the network; not used, because the facts hold it.
        state_dict: {canonical name: tensor}.
        facts: JSON values.
    """
    from densezoo.formats import safetensors

    safetensors.write_safetensors(path, state_dict, facts)


def computed(
    computation: Callable[[A], Computation], write: Callable[[Path, Computation, Mapping[str, Tensor], Facts], None]
) -> Callable[[Path, A, Mapping[str, Tensor], Facts], None]:
    """A `System.write` for a format whose files describe the computation.

    Args:
        computation: architecture -> computation.
        write: (path, computation, canonical state_dict, facts): writes the file.
    """
    return lambda path, arch, state_dict, facts: write(path, computation(arch), state_dict, facts)


def torch_writer(
    family: Family[A], source: str, wrap: Callable[[dict[str, Tensor]], object] = dict
) -> Callable[[Path, A, Mapping[str, Tensor], Facts], None]:
    """A `System.write` for ``torch.save`` files under the names of a source whose tensors need no operation.

    Args:
        family: of the key table.
        source: the key table's name.
        wrap: {name: tensor} -> the object that is saved.
    """

    def write(path: Path, arch: A, state_dict: Mapping[str, Tensor], facts: Facts) -> None:
        import torch

        keymap = next(keymap for keymap in family.keymaps if keymap.name == source)
        names = (pair for layer in family.layers(arch) for pair in _names(family, keymap, layer))
        tensors = {key: state_dict[name] for name, key in names}
        try:
            torch.save(wrap(tensors), path)
        except RuntimeError as error:  # torch raises it if the disk is full
            raise OSError(f"{error!s:.100}") from None

    return write


def _names(family: Family[Any], keymap: KeyMap, layer: Layer) -> list[tuple[str, str]]:
    """(canonical name, the source's) of every tensor of a layer, counters included."""
    name = keymap.templates[layer.role][0].format(**family.numbers(layer.block, layer.index, 0))
    params = keymap.params[layer.kind].items()
    return [(f"{layer.name}.{param}", f"{name}{recipe.ends[0]}") for param, recipe in params]
