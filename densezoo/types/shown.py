"""How the nouns look in notebooks and consoles. What comes from metafiles is a stranger's text, and is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from densezoo.errors import some


def as_html(title: str, rows: Mapping[str, object]) -> str:
    """A small table of names and values under a title, as HTML; rows whose value is None or "" are left out.

    Args:
        title: that stands above it.
        rows: {name: value}; a value is shown as ``str`` has it.
    """
    from html import escape  # here, because its table of entities is long and a start shows nothing

    shown = {name: text for name, value in rows.items() if value is not None and (text := str(value))}
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th><td style="text-align:left">{escape(text)}</td></tr>'
        for name, text in shown.items()
    )
    return f'<table><caption style="text-align:left"><b>{escape(title)}</b></caption><tbody>{cells}</tbody></table>'


def listed(items: Iterable[object], most: int = 5) -> str:
    """The items with commas between them, the first few of many.

    Args:
        items: each is shown as ``str`` has it.
        most: how many are shown.
    """
    texts = [str(item) for item in items]
    return some(texts, most) + (f" ({len(texts)} in all)" if len(texts) > most else "")


def percent(value: float | None, decimals: int = 2) -> str:
    """ "74.43 %"; "" of None.

    Args:
        value: in percent.
        decimals: of the text; what keeps its own digits (`Figure`) is shown with them.
    """
    if value is None:
        return ""
    return f"{value} %" if type(value) is not float else f"{value:.{decimals}f} %"
