"""The parameters and FLOPs that the index states of a network, compared with those of its layers and computation.

Both are counted without torch, whose import takes longer than the whole index; tests hold them to the networks.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from functools import cache
from math import prod

from densezoo.families import family_of
from densezoo.families.flops import CONVENTIONS, UNDEFINED, count_operations, flops
from densezoo.types import Architecture, ModelSpec


def contradictions(spec: ModelSpec) -> Iterator[str]:
    """The errors in a model's parameters and FLOPs, one message each: field, stated number, counted number.

    Args:
        spec: the model.
    """
    counted = num_params(spec.architecture)
    if spec.num_params != counted:
        yield f"Metadata: Parameters is {spec.num_params:,}; {spec.config} builds {counted:,}"
    for convention, stated in spec.flops.items():
        error_prefix = f"Metadata: FLOPs: {convention}"
        if convention in UNDEFINED:
            continue
        if convention not in CONVENTIONS:
            yield f"{error_prefix}: expected one of {', '.join((*CONVENTIONS, *UNDEFINED))}"
        elif spec.image_size is not None:
            counted = flops(operations(spec.architecture, spec.image_size), convention)
            if stated != counted:
                yield f"{error_prefix} is {stated:,}; {spec.config} takes {counted:,} at {spec.image_size} px"


def operations(arch: Architecture, image_size: int) -> Mapping[str, int]:
    """What `count_operations` counts of an architecture's network, counted once in a process.

    Args:
        arch: the network's.
        image_size: side in pixels.
    """
    return _counted(_sizes_alone(arch), image_size)


def _sizes_alone(arch: Architecture) -> Architecture:
    """The architecture with the default dropout and epsilons, which change no parameter's shape and no operation."""
    fields = dataclasses.fields(arch)
    free = {field.name: field.default for field in fields if field.name == "drop_rate" or field.name.endswith("eps")}
    return dataclasses.replace(arch, **free)


def num_params(arch: Architecture) -> int:
    """How many trainable parameters a network has, which running statistics are not; counted once in a process.

    Args:
        arch: the network's.
    """
    return _num_params(_sizes_alone(arch))


@cache
def _num_params(arch: Architecture) -> int:
    shapes = (item for layer in family_of(arch).layers(arch) for item in layer.shapes.items())
    return sum(prod(shape) for name, shape in shapes if not name.startswith("running_"))


@cache
def _counted(arch: Architecture, image_size: int) -> Mapping[str, int]:
    return count_operations(family_of(arch).computation(arch), image_size)
