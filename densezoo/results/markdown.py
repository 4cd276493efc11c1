"""Tables in Markdown."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence

#: A number as tables show it: 7,978,856 or -0.51 or 94.54 (94.08 to 94.97) [a].
_NUMBER = re.compile(r"[-+]?\d[\d,]*(\.\d+)?( \([^)]*\))?( \[\w\])?")

#: What Markdown may take for markup; an underscore between letters or digits is none.
_MARKUP = re.compile(r"[\\`*\[\]~]|(?<![^\W_])_|_(?![^\W_])")


def markdown(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows of {column: text} as a table; "" without rows.

    Columns that are empty throughout are left out; columns of numbers are aligned to the right.

    Args:
        rows: the columns are the first row's, and each of the others has these; "" is an empty cell.
    """
    if not rows:
        return ""
    columns = [name for name in rows[0] if any(row[name] for row in rows)]
    ends = [":" if all(_is_number(row[name]) for row in rows) else "" for name in columns]
    lines = [_line(columns), _line([f"---{end}" for end in ends])]
    return "".join([*lines, *(_line([row[name] for name in columns]) for row in rows)])


def plain(text: str) -> str:
    """Anybody's text on one line, with nothing in it that Markdown or HTML takes for more than text.

    Args:
        text: such as a name that a file of weights states.
    """
    return _MARKUP.sub(r"\\\g<0>", html.escape(" ".join(text.split()), quote=False))


def _is_number(cell: str) -> bool:
    return not cell or _NUMBER.fullmatch(cell) is not None


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
