"""Parses YAML: data only, with the digits of numbers as they were written."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from densezoo.errors import MetafileError
from densezoo.types import Figure

DEPTH = 32  # of values in each other; a metafile has 8


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # C: ten times as fast
    """A safe loader that keeps the digits of numbers, and refuses the same key twice, which PyYAML lets pass."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        keys = set()
        for key, _ in node.value:
            if key.value in keys:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} twice", key.start_mark)
            keys.add(key.value)
        mapping: dict[object, object] = super().construct_mapping(node, deep)
        return mapping

    def construct_yaml_float(self, node: yaml.ScalarNode) -> float:
        value = float(super().construct_yaml_float(node))
        return Figure(node.value) if re.fullmatch(r"\d+\.\d+", node.value) else value


_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.construct_yaml_float)


def _check_events(text: str) -> None:
    """Refuse what a loader recurses into until the process dies, and aliases by which a few lines become gigabytes.

    Raises:
        yaml.YAMLError: no YAML, an alias in what has an anchor itself, more than DEPTH values in each other.
    """
    anchors: list[str | None] = []  # of the lists and mappings around an event
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            anchors.pop()
        elif isinstance(event, yaml.AliasEvent) and any(anchors):
            raise yaml.YAMLError(f"expected no alias inside of &{next(filter(None, anchors))}, found *{event.anchor}")
        if len(anchors) > DEPTH:
            raise yaml.YAMLError(f"expected at most {DEPTH} values in each other, found more")


def parse_yaml(content: bytes, path: Path) -> object:
    """The value that a YAML file holds.

    Args:
        content: of the file.
        path: of the file, for messages.

    Raises:
        MetafileError: no YAML, the same key twice, an alias inside an anchor, more than DEPTH values in each other.
    """
    try:
        text = content.decode()
        _check_events(text)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a safe loader: data, no objects
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise MetafileError(f"{path}: not YAML: {error}") from None
