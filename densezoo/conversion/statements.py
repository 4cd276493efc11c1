"""What a file says of its network beside its tensors, held against what they show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from densezoo.conversion.compare import compare
from densezoo.conversion.graphs import match_graph
from densezoo.errors import CheckpointError
from densezoo.families import family_of
from densezoo.families.naming import Naming
from densezoo.types import Architecture, Checkpoint


def check_family(checkpoint: Checkpoint, naming: Naming, architecture: Architecture | None) -> None:
    """Hold a file's names to the family that the caller expects, and that the file says it is of.

    Raises:
        CheckpointError: they are another family's; names both.
    """
    expected = family_of(architecture) if architecture is not None else naming.family
    stated = checkpoint.semantics.get("family", naming.family.name)
    if expected is not naming.family:
        raise CheckpointError(
            f"{checkpoint.path}: by its names ({naming.keymap.name}) this is {naming.family.a_title}; expected "
            f"{expected.a_title} ({_fields(architecture)}); nothing was loaded: use the config of its own architecture"
        )
    if stated != naming.family.name:
        raise CheckpointError(
            f"{checkpoint.path}: says that it is of the family {stated!r}; by its names ({naming.keymap.name}) it is "
            f"{naming.family.a_title}; nothing was loaded"
        )


def _fields(arch: Architecture | None) -> str:
    return "" if arch is None else ", ".join(f"{name} {getattr(arch, name)}" for name in family_of(arch).inferred)


def check_description(checkpoint: Checkpoint, naming: Naming, inferred: Architecture) -> None:
    """Hold the network that is named beside the tensors to what they show.

    Raises:
        CheckpointError: they show another network; names both.
    """
    if not checkpoint.described or not compare(checkpoint, naming, inferred)[1].exact:
        return  # of a file that is incomplete, the list of what is missing says more
    shown = naming.family.inferred
    for network in checkpoint.described:
        said = network.fields or {}
        wrong = [name for name in shown if name in said and not equal(said[name], getattr(inferred, name))]
        if network.fields is None or wrong:
            known, of = network.fields is not None, f"{network.system}'s"
            claim = f"{of} {network.name}" if known else f"{network.name}, none of {of} {naming.family.title}s"
            raise CheckpointError(
                f"{network.stated_in}: says that the network is {claim}"
                + "".join(f", {name} {said[name]}" for name in wrong)
                + f"; by its tensors {checkpoint.path} is {naming.family.a_title} of "
                + ", ".join(f"{name} {getattr(inferred, name)}" for name in wrong or shown)
                + "; nothing was loaded: replace or remove the one that is wrong"
            )


def statements(
    checkpoint: Checkpoint, naming: Naming, inferred: Architecture
) -> tuple[dict[str, object], list[tuple[str, ...]]]:
    """What the file, its graph and its description say of the computation, and which weights a layer takes.

    Raises:
        CheckpointError: they contradict each other; graph or description are another network's.
    """
    stated = {name: value for name, value in checkpoint.semantics.items() if name != "family"}
    for network in checkpoint.described:
        for name, value in (network.fields or {}).items():
            if name not in naming.family.inferred and not equal(stated.setdefault(name, value), value):
                raise CheckpointError(
                    f"{network.stated_in}: says {name} {value!r}; {checkpoint.path} says {stated[name]!r}; nothing was "
                    "loaded"
                )
    if not checkpoint.graph:
        return stated, []
    graph = match_graph(checkpoint.graph, naming.family.computation(inferred), naming.family.freedom, checkpoint.path)
    for name, value in graph.semantics.items():
        if not equal(stated.setdefault(name, value), value):
            raise CheckpointError(
                f"{checkpoint.path}: its metadata says {name} {stated[name]!r}, its computation {value!r}"
            )
    return stated, list(graph.weights)


def check_weights(checkpoint: Checkpoint, naming: Naming, arch: Architecture, weights: list[tuple[str, ...]]) -> None:
    """That every layer of the computation takes the tensors that its names give it."""
    for layer, used in zip(naming.family.layers(arch), weights):
        params = (naming.keys(layer.role, param, layer.block, layer.index) or () for param in layer.shapes)
        expected = [key for keys in params for key in keys]
        inside = tuple(f"{name}{end}" for name in used for end in "./")
        by_tensor = all(name in checkpoint.tensors for name in used)  # then each in its place, and no other
        if list(used) != expected if by_tensor else not all(key.startswith(inside) or key in used for key in expected):
            raise CheckpointError(
                f"{checkpoint.path}: in its computation {layer.name} takes {', '.join(used) or 'no weights'}; by its "
                f"names it should take {', '.join(expected)}; nothing was loaded"
            )


def explain_layers(checkpoint: Checkpoint, naming: Naming) -> list[str]:
    """What the layers compute that the file lists and doesn't describe, as the source has them.

    Raises:
        CheckpointError: one that the source's networks don't have.
    """
    known, notes = naming.keymap.explains, []
    for name in checkpoint.unexplained:
        kind = re.sub(r"_\d+$", "", name)
        if kind not in known:
            raise CheckpointError(
                f"{checkpoint.path}: lists the layer {name!r}, and not what it computes; save the whole model as .keras"
            )
        notes.append(f"{name}: {known[kind]}")
    return notes


def ask(checkpoint: Checkpoint, naming: Naming, inferred: Architecture, known: Mapping[str, object]) -> None:
    """Hold a file to saying what its source's networks with these tensors differ in (`KeyMap.asks`).

    Raises:
        CheckpointError: neither it nor the caller says so.
    """
    if checkpoint.graph:
        return
    for (shown, value), (name, values) in naming.keymap.asks.items():
        if getattr(inferred, shown) != value or name in known:
            continue
        choices = ", or ".join(f"--options {name}={value} ({whose})" for value, whose in values.items())
        sizes = ", ".join(f"{size} {getattr(inferred, size)}" for size in naming.family.sizes)
        raise CheckpointError(
            f"{checkpoint.path}: networks of {naming.keymap.name} names with this {shown} ({value}) differ in {name}, "
            f"which their tensors ({sizes}) don't show; say which it is: {choices}"
        )


def equal(one: object, other: object) -> bool:
    """Whether two values of a field are the same, a list and a tuple or two roundings of a float included."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-6)  # written as float32 by some, as decimal by others
    sequences = isinstance(one, (list, tuple)) and isinstance(other, (list, tuple))
    return list(one) == list(other) if sequences else one == other  # type: ignore[call-overload]
