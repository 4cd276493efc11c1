"""The layout of help pages: 80 columns, whatever the docstrings are written in."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Iterator

PROGRAMS = ("densezoo ", "python ", "torchrun ")  # what an example begins with
WIDEST = 78  # as argparse does it: two columns less than the terminal


class HelpFormatter(argparse.HelpFormatter):
    """Wraps prose; keeps the lines of examples and of tables, and breaks those that are too long for a terminal."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:  # a hook of argparse
        return fill(text, min(width, WIDEST))


def fill(text: str, width: int) -> str:
    """A description, in lines that fit.

    Args:
        text: paragraphs with empty lines between them, such as a module's docstring.
        width: columns.
    """
    paragraphs = [_fill_paragraph(part, width) for part in re.split(r"\n\s*\n", text.strip("\n"))]
    return "\n\n".join("\n".join(lines) for lines in paragraphs)


def _fill_paragraph(text: str, width: int) -> Iterator[str]:
    """Its lines: prose is wrapped anew; an example is broken by backslashes, a table's row under its last column."""
    prose: list[str] = []
    for line in text.replace("\\\n", "").splitlines():
        if line.startswith(PROGRAMS) or line.startswith(" "):
            yield from textwrap.wrap(" ".join(prose), width)
            prose = []
            yield from _example(line, width) if line.startswith(PROGRAMS) else [row(line, width)]
        else:
            prose.append(line)
    yield from textwrap.wrap(" ".join(prose), width)


def row(line: str, width: int = WIDEST) -> str:
    """A row of a table, wrapped under the beginning of its last column.

    Args:
        line: columns with two or more spaces between them.
        width: columns of the terminal.
    """
    gaps = list(re.finditer(r"(?<=\S)\s{2,}(?=\S)", line))
    under = gaps[-1].end() if gaps else len(line) - len(line.lstrip())
    return "\n".join(textwrap.wrap(line, width, subsequent_indent=" " * under))


def _example(line: str, width: int) -> Iterator[str]:
    """A command line as one can paste it: a long comment goes before it, a long command is broken at its options."""
    command, comment = (*(part.strip() for part in re.split(r"\s#\s", line, maxsplit=1)), "")[:2]
    if len(line) <= width:
        yield line
        return
    if comment:
        yield from textwrap.wrap(comment, width, initial_indent="# ", subsequent_indent="# ")
    pieces = re.split(r"\s+(?=--?[a-z])", command)
    current = pieces[0]
    for piece in pieces[1:]:
        if len(current) + len(piece) + 3 > width:  # a space, and " \" after it
            yield f"{current} \\"
            current = f"    {piece}"
        else:
            current += f" {piece}"
    yield current
