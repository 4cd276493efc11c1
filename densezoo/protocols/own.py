"""Protocols of a user's own: from a YAML file, from a file of weights, or a named one with a few fields changed.

Such a protocol's name ends in a mark and the first digits of the sha256 of its fields, ``my_protocol~1a2b3c4d5e6f``, so
that no result under it is taken for one under a named protocol, or under the same file before it was edited.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo import schema
from densezoo.errors import ConfigError, MetafileError
from densezoo.types import Protocol

if TYPE_CHECKING:
    from densezoo.types import OwnProtocol, RunFacts

MARK = "~"  # no published protocol's name has it
ENDINGS = (".yml", ".yaml")
DIGITS = 12  # of the sha256 that stand in a name
_WORDS = ("name", "source")  # fields that change no pixel

#: {name with its mark: protocol} of those that this process has met. A name says by its digits what it stands for.
_KNOWN: dict[str, Protocol] = {}


def protocol_sha256(protocol: Protocol) -> str:
    """The sha256 of all fields that can change what a network gets, 64 hex digits: of their JSON with sorted keys.

    Fields that have their defaults are left out, so that a field that a later densezoo adds changes no digits.

    Args:
        protocol: any.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(protocol)}
    values = dataclasses.asdict(protocol).items()
    fields = {name: value for name, value in values if name not in _WORDS and value != defaults[name]}
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def as_own(protocol: Protocol) -> Protocol:
    """The protocol under the name of one's own, which this process knows from then on.

    Args:
        protocol: its name may have the mark already; the digits are those of its fields.

    Raises:
        ConfigError: the name can't be a part of a file's name.
    """
    base = protocol.name.partition(MARK)[0]
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", base):
        raise ConfigError(f"protocol {protocol.name!r}: expected a name of letters, digits, '_', '-' and '.'")
    name = f"{base}{MARK}{protocol_sha256(protocol)[:DIGITS]}"
    _KNOWN[name] = dataclasses.replace(protocol, name=name)
    return _KNOWN[name]


def read_protocol(path: Path) -> Protocol:
    """The protocol that a YAML file describes, under a name of one's own.

    Args:
        path: the file: the fields of `Protocol`, of which ``name``, ``mean`` and ``std`` have no default.

    Raises:
        ConfigError: it can't be read, or has an unknown key, a wrong type or a contradiction.
    """
    from densezoo.yaml_files import parse_yaml  # here, because YAML is slow to import and listing the index needs none

    try:
        values = parse_yaml(path.read_bytes(), path)
    except OSError as error:
        raise ConfigError(
            f"{path}: can't be read ({error.strerror}); densezoo show_protocol torchvision > {path} begins one"
        ) from None
    except MetafileError as error:
        raise ConfigError(str(error)) from None
    return from_fields(values, str(path))


def from_fields(values: object, where: str) -> Protocol:
    """The protocol of a mapping of its fields, under a name of one's own.

    Args:
        values: the fields, as YAML or JSON has them.
        where: what they stand in, for messages.

    Raises:
        ConfigError: it can't be read, or has an unknown key, a wrong type or a contradiction.
    """
    given = {"source": where, **values} if isinstance(values, Mapping) else values
    protocol = schema.build(Protocol, given, where, ConfigError)
    mean, std = (tuple(map(float, numbers)) for numbers in (protocol.mean, protocol.std))  # YAML's keep their digits
    protocol = dataclasses.replace(protocol, mean=mean, std=std, value_range=float(protocol.value_range))
    numbers = [*protocol.mean, *protocol.std, protocol.value_range]
    if not all(abs(number) < float("inf") for number in numbers) or not all(protocol.std) or not protocol.value_range:
        raise ConfigError(f"{where}: mean and std are finite numbers, and no std is 0; found {numbers}")
    for name in ("resize", "crop", "image_size"):
        if (size := getattr(protocol, name)) is not None and size < 1:
            raise ConfigError(f"{where}: {name} is {size}; expected 1 pixel or more")
    return as_own(protocol)


def find_own(name: str) -> Protocol | None:
    """The protocol of one's own that a name means: a file, or one that this process has met; None: neither.

    Args:
        name: a path that ends in .yml or .yaml, or a name with its mark.

    Raises:
        ConfigError: it can't be read, or has an unknown key, a wrong type or a contradiction.
    """
    return read_protocol(Path(name).expanduser()) if name.lower().endswith(ENDINGS) else _KNOWN.get(name)


def facts_of(protocol: Protocol) -> OwnProtocol | None:
    """What a result says of a protocol of one's own; None: it is a named one.

    Args:
        protocol: any.
    """
    if MARK not in protocol.name:
        return None
    fields: dict[str, object] = json.loads(json.dumps(dataclasses.asdict(protocol)))  # lists for tuples, as JSON has it
    from densezoo.types import OwnProtocol  # here, because listing the index needs no result

    return OwnProtocol(protocol_sha256(protocol), fields)


@dataclass(frozen=True)
class Changes:
    """Fields of a protocol to change, as timm's scripts take them.

    Args:
        mean, std: one number a channel or one for all, of pixels in 0 to 1 whatever the protocol's own units are.
        img_size: side of the square that the network gets, pixels; the resize before the crop grows in proportion.
        in_chans: 3: RGB; 1: grey.
    """

    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    img_size: int | None = None
    in_chans: int | None = None

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) is not None for field in dataclasses.fields(self))


def changed(protocol: Protocol, changes: Changes) -> Protocol:
    """A protocol with fields changed, under a name of one's own; itself if nothing is to be changed.

    Args:
        protocol: the one to begin with.
        changes: what is given.

    Raises:
        ConfigError: numbers that fit neither the channels nor 0 to 1; a new number of channels without mean and std.
    """
    if not changes:
        return protocol
    fields: dict[str, object] = {"name": f"changed-{protocol.name}", "source": f"{protocol.name}, changed"}
    channels = changes.in_chans or len(protocol.channel_order)
    if channels not in (1, 3):
        raise ConfigError(f"--in-chans {channels}: a picture has 3 channels, or 1 in grey")
    if channels != len(protocol.channel_order):
        if changes.mean is None or changes.std is None:
            raise ConfigError(f"--in-chans {channels}: {protocol.name} has other channels; give --mean and --std, too")
        fields["channel_order"] = "L" if channels == 1 else "RGB"
    for name in ("mean", "std"):
        given: Sequence[float] | None = getattr(changes, name)
        if given is None:
            continue
        in_range = all(0 <= number <= 1 and (number or name == "mean") for number in given)
        if len(given) not in (1, channels) or not in_range:
            raise ConfigError(
                f"--{name} {','.join(map(str, given))}: expected one number or {channels}, of pixels in 0 to 1"
            )
        numbers = tuple(given) * (channels if len(given) == 1 else 1)
        fields[name] = tuple(number * protocol.value_range for number in numbers)
    if changes.img_size is not None:
        fields |= _sizes(protocol, changes.img_size)
    return as_own(dataclasses.replace(protocol, **fields))  # type: ignore[arg-type]  # its fields by name


def _sizes(protocol: Protocol, side: int) -> dict[str, int]:
    """The fields by which a network gets squares of another size."""
    if protocol.resize is None:
        return {"image_size": side}
    if protocol.crop is None:
        return {"resize": side}
    return {"crop": side, "resize": round(side * protocol.resize / protocol.crop)}


def under(facts: RunFacts, protocol: Protocol) -> RunFacts:
    """The facts of a run under one protocol.

    Args:
        facts: of the run.
        protocol: one of its.
    """
    return dataclasses.replace(facts, protocol=protocol.name, own_protocol=facts_of(protocol))


def contradiction(facts: RunFacts) -> str | None:
    """What is wrong with what a stored result says of its protocol; None: nothing, and this process knows it now.

    Args:
        facts: of a stored result.
    """
    own, mark = facts.own_protocol, MARK in facts.protocol
    if own is None:
        return f"protocol {facts.protocol} is somebody's own, and own_protocol doesn't say what it is" if mark else None
    try:
        protocol = from_fields(own.fields, "own_protocol")
    except ConfigError as error:
        return str(error)
    if (protocol.name, protocol_sha256(protocol)) != (facts.protocol, own.sha256):
        return f"protocol {facts.protocol} is not what own_protocol says, which is {protocol.name}"
    return None
