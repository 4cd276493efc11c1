"""Caffe's network descriptions in protocol buffer text format: https://protobuf.dev/reference/protobuf/textformat-spec/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.binary import open_file

MAX_BYTES = 2 << 20  # that of the largest network takes 200 kB
MAX_WORDS, MAX_NESTING = 100_000, 20
_WORD_OR_SIGN = re.compile(r"""\s+|\#[^\n]*|(?P<word>[{}<>:;,\[\]]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|[-+.\w]+)""")
_TRUTH = {"true": True, "false": False}

Fields = dict[str, list[Any]]


def read_prototxt(path: Path) -> Fields:
    """{field: [its values]}; a value is a number, a string, a truth value, the name of an enumeration, or fields.

    Args:
        path: the file.

    Raises:
        FormatError: not in this format, or longer than any network's description.
    """
    with open_file(path) as data:
        if len(data) > MAX_BYTES:
            raise FormatError(f"{path}: {len(data):,} bytes; expected at most {MAX_BYTES:,} in a network description")
        text = bytes(data.read()).decode("utf-8", "replace")
    fields: Fields = {}
    open_messages = [fields]
    name = ""
    for i, (line, word) in enumerate(_words(path, text)):
        if i > MAX_WORDS:
            raise FormatError(
                f"{path}, line {line}: more than {MAX_WORDS:,} words; expected at most so many in a network description"
            )
        if word in "{<":
            if len(open_messages) > MAX_NESTING:
                raise FormatError(f"{path}, line {line}: messages nested {MAX_NESTING} deep; expected fewer levels")
            inner: Fields = {}
            open_messages[-1].setdefault(name, []).append(inner)
            open_messages.append(inner)
        elif word in "}>":
            open_messages.pop()
            if not open_messages:
                raise FormatError(f"{path}, line {line}: a closing bracket too many")
            name = ""
        elif word in ":;,[]":
            continue
        elif not name:
            name = word
            continue
        else:
            open_messages[-1].setdefault(name, []).append(_value(word))
        name = ""
    if len(open_messages) != 1:
        raise FormatError(f"{path}: ends within {len(open_messages) - 1} open brackets; the file is truncated")
    return fields


def _words(path: Path, text: str) -> Iterator[tuple[int, str]]:
    position, line = 0, 1
    while position < len(text):
        match = _WORD_OR_SIGN.match(text, position)
        if match is None:
            raise FormatError(
                f"{path}, line {line}: expected a name or a value; found {text[position : position + 20]!r}"
            )
        if match["word"]:
            yield line, match["word"]
        line += text.count("\n", position, match.end())
        position = match.end()


def _value(word: str) -> str | float:
    if word[0] in "\"'":
        return word[1:-1]
    if word in _TRUTH:
        return _TRUTH[word]
    try:
        return float(word) if re.search(r"[.eE]", word) else int(word)
    except ValueError:
        return word
