"""A protocol as a commented YAML file, which `densezoo.protocols.own` reads again."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Mapping
from typing import Literal, get_args, get_origin, get_type_hints

from densezoo.types import Protocol

WIDTH = 80


def protocol_text(protocol: Protocol, name: str, introduction: str) -> str:
    """The file: every field under what it means and, where only some values are known, all of them.

    Args:
        protocol: whose values stand in it.
        name: that stands in it.
        introduction: sentences for its head.
    """
    hints, meanings = get_type_hints(Protocol), field_meanings()
    lines = [*_comment(introduction), ""]
    for field, value in dataclasses.asdict(protocol).items():
        known = _alternatives(hints[field])
        lines += _comment(meanings[field] + (f" One of {', '.join(known)}." if known else ""))
        lines.append(f"{field}: {_yaml(name if field == 'name' else value)}")
    return "\n".join(lines) + "\n"


def field_meanings() -> Mapping[str, str]:
    """{field of `Protocol`: what its docstring says of it}."""
    arguments = inspect.cleandoc(Protocol.__doc__ or "").partition("Args:\n")[2].partition("\nRaises:")[0]
    meanings: dict[str, str] = {}
    for names, text in re.findall(r"^ {4}(\w[\w, ]*): (.*(?:\n {8}.*)*)", arguments, re.MULTILINE):
        sentence = re.sub(r"\bNone\b", "null", " ".join(text.replace("``", "").split()))
        meanings |= {name: sentence[0].upper() + sentence[1:] for name in names.split(", ")}
    return meanings


def _alternatives(hint: object) -> list[str]:
    """The values that a field may have, as YAML; none where its type allows any number or text."""
    options = [option for option in (hint, *get_args(hint)) if get_origin(option) is Literal]
    nothing = ["null"] if type(None) in get_args(hint) else []
    return [*map(str, get_args(options[0])), *nothing] if options else []


def _comment(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)


def _yaml(value: object) -> str:
    """A value as JSON has it, which YAML reads alike; a plain word without quotes."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z][\w.-]*", value):
        return value if value.lower() not in ("null", "true", "false", "yes", "no", "on", "off") else json.dumps(value)
    return json.dumps(value)
