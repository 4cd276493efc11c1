"""What a file says of its network beside its tensors, compared with what the tensors show."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace

from densezoo.conversion.compare import match_tensors
from densezoo.conversion.graphs import Reading, match_graph
from densezoo.errors import CheckpointError
from densezoo.families import family_of
from densezoo.families.naming import Naming
from densezoo.types import Architecture, Checkpoint


def check_family(checkpoint: Checkpoint, naming: Naming, architecture: Architecture | None) -> None:
    """Refuse a file whose names are of another family than the caller expects or the file states.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        architecture: of the caller; None: any.

    Raises:
        CheckpointError: the names are another family's; names both.
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


def check_layers(checkpoint: Checkpoint, naming: Naming) -> None:
    """Refuse a file that names a layer without weights, and not what it computes, if the family has no such layer.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.

    Raises:
        CheckpointError: it names such a layer.
    """
    explained = {name for name in checkpoint.undescribed_layers if _kind(name) in naming.keymap.explains}
    names = (name for name in checkpoint.undescribed_layers if name not in explained)
    foreign = [name for name in names if re.fullmatch(naming.family.foreign_layers, name)]
    if foreign:
        raise CheckpointError(
            f"{checkpoint.path}: lists the layer {foreign[0]!r}, and not what it computes; save the whole model, as "
            ".keras"
        )


def explained_layers(checkpoint: Checkpoint, naming: Naming) -> list[str]:
    """Hints on the layers that the file doesn't describe and the source's key table does.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
    """
    explains = naming.keymap.explains
    return [f"{name}: {explains[_kind(name)]}" for name in checkpoint.undescribed_layers if _kind(name) in explains]


def _kind(layer: str) -> str:
    """A layer's name without the number that Keras gives it."""
    return re.sub(r"_\d+$", "", layer)


def check_description(checkpoint: Checkpoint, naming: Naming, inferred: Architecture) -> None:
    """Refuse a file whose tensors show another network than the one that is named beside them.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        inferred: the architecture that the tensors show.

    Raises:
        CheckpointError: they show another network; names both.
    """
    if not checkpoint.described or not match_tensors(checkpoint, naming, inferred)[1].exact:
        return  # for an incomplete file, the list of what is missing says more
    shown = naming.family.inferred
    for network in checkpoint.described:
        stated = network.fields or {}
        wrong = [name for name in shown if name in stated and not equal(stated[name], getattr(inferred, name))]
        if network.fields is None or wrong:
            known, owner = network.fields is not None, f"{network.system}'s"
            claim = f"{owner} {network.name}" if known else f"{network.name}, none of {owner} {naming.family.title}s"
            raise CheckpointError(
                f"{network.stated_in}: says that the network is {claim}"
                + "".join(f", {name} {stated[name]}" for name in wrong)
                + f"; by its tensors {checkpoint.path} is {naming.family.a_title} of "
                + ", ".join(f"{name} {getattr(inferred, name)}" for name in wrong or shown)
                + "; nothing was loaded: replace or remove the one that is wrong"
            )


def statements(
    checkpoint: Checkpoint, naming: Naming, inferred: Architecture
) -> tuple[dict[str, object], list[tuple[str, ...]]]:
    """What the file, its graph and its description say of the computation.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        inferred: the architecture that the tensors show.

    Returns:
        {field of the architecture: value}, and the weights of every layer as the graph has them (no graph: empty).

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
    shown, graph = _match_graph(checkpoint, naming, inferred)
    for name, value in {**shown, **graph.semantics}.items():
        if not equal(stated.setdefault(name, value), value):
            raise CheckpointError(
                f"{checkpoint.path}: its metadata says {name} {stated[name]!r}, its computation {value!r}"
            )
    return stated, list(graph.weights)


def _match_graph(
    checkpoint: Checkpoint, naming: Naming, inferred: Architecture
) -> tuple[Mapping[str, object], Reading]:
    """Compare a file's graph with the computations of all networks that have its tensors.

    Returns:
        {field that no tensor shows and more or fewer steps do: its value}, and what the steps fix.

    Raises:
        CheckpointError: it is none of them; says where it differs from the first.
    """
    freedom = naming.family.freedom
    shown = {name: getattr(inferred, name) for name in freedom.alternatives}
    shown = {name: value for name, value in shown.items() if value in freedom.alternatives[name]}
    others = [{**shown, name: other} for name in shown for other in freedom.alternatives[name][shown[name]]]
    refusals = []
    for fields in (shown, *others):
        computation = naming.family.computation(replace(inferred, **fields))
        try:
            return fields, match_graph(checkpoint.graph, computation, freedom, checkpoint.path)
        except CheckpointError as error:
            refusals.append(error)
    raise refusals[0]


def check_weights(checkpoint: Checkpoint, naming: Naming, arch: Architecture, weights: list[tuple[str, ...]]) -> None:
    """Refuse a file in whose computation a layer takes other tensors than the key table names for it.

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        arch: the network.
        weights: for every layer the names of its tensors as the file's graph has them; empty: there is no graph.

    Raises:
        CheckpointError: a layer takes other tensors; names them.
    """
    for layer, used in zip(naming.family.layers(arch), weights):
        params = (naming.keys(layer.role, param, layer.block, layer.index) or () for param in layer.shapes)
        expected = [key for keys in params for key in keys]
        inside = tuple(f"{name}{end}" for name in used for end in "./")
        by_tensor = all(name in checkpoint.tensors for name in used)  # then these tensors, in this order
        if list(used) != expected if by_tensor else not all(key.startswith(inside) or key in used for key in expected):
            raise CheckpointError(
                f"{checkpoint.path}: in its computation {layer.name} takes {', '.join(used) or 'no weights'}; by its "
                f"names it should take {', '.join(expected)}; nothing was loaded"
            )


def ask(checkpoint: Checkpoint, naming: Naming, inferred: Architecture, stated: Mapping[str, object]) -> None:
    """Refuse a file that leaves open in what its source's networks with the same tensors differ (`KeyMap.asks`).

    Args:
        checkpoint: the file.
        naming: the key table as the file uses it.
        inferred: the architecture that the tensors show.
        stated: {field: value} that the file or the caller states.

    Raises:
        CheckpointError: neither the file nor the caller states the field.
    """
    if checkpoint.graph:
        return
    for (shown, value), (name, values) in naming.keymap.asks.items():
        if getattr(inferred, shown) != value or name in stated:
            continue
        choices = ", or ".join(f"--options {name}={value} ({networks})" for value, networks in values.items())
        sizes = ", ".join(f"{size} {getattr(inferred, size)}" for size in naming.family.sizes)
        raise CheckpointError(
            f"{checkpoint.path}: networks of {naming.keymap.name} names with this {shown} ({value}) differ in {name}, "
            f"which their tensors ({sizes}) don't show; say which it is by densezoo convert: {choices}"
        )


def equal(first: object, second: object) -> bool:
    """Whether two values of a field are the same; a list equals a tuple, and a float its rounding to float32.

    Args:
        first, second: the values.
    """
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-6)  # written as float32 by some, as decimal by others
    if isinstance(first, (list, tuple)) and isinstance(second, (list, tuple)):
        return list(first) == list(second)
    return first == second
