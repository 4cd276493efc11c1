"""How templates are filled in: all text is escaped, links lead to the web alone."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from densezoo.index.listing import shown
from densezoo.results.weight_pages import file_name

_INLINE = re.compile(r"`([^`]+)`|\[([^\]]+)\]\((https?://[^\s)]+)\)")


@cache
def environment() -> Environment:
    """Jinja's environment of the site's templates."""
    jinja = Environment(
        loader=PackageLoader("densezoo.results.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {
        "web": web,
        "inline": inline,
        "breakable": breakable,
        "count": count,
        "figure": figure,
        "location": location,
    }
    jinja.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False}
    return jinja


def web(url: str | None) -> str | None:
    """The URL if a browser may follow it to the web; None for any other, such as ``javascript:`` and ``kaggle:``.

    Args:
        url: from a metafile.
    """
    return url if url is not None and re.match(r"https?://[^\s\"'<>]+$", url) else None


def inline(text: str) -> Markup:
    """Text in which only `code` and [links](https://...) of Markdown are marked up.

    Args:
        text: one paragraph.
    """
    parts, end = Markup(), 0
    for match in _INLINE.finditer(text):
        code, words, url = match.groups()
        parts += escape(text[end : match.start()])
        parts += Markup("<code>{}</code>").format(code) if code else Markup('<a href="{}">{}</a>').format(url, words)
        end = match.end()
    return parts + escape(text[end:])


def breakable(name: str) -> Markup:
    """A long name that may be broken before its dot and after underscores and slashes.

    Args:
        name: of a model, a file or a URL.
    """
    return Markup("<wbr>").join(filter(None, re.split(r"(?<=[_/])|(?=\.)", name)))


def location(url: str) -> str:
    """What a link to a file is called beside its host.

    Args:
        url: of the web.
    """
    host = url.partition("://")[2].partition("/")[0]
    return ", ".join(dict.fromkeys([file_name(url), host]))


def count(number: int) -> str:
    """A whole number with commas between thousands."""
    return f"{number:,}"


def figure(value: float | None) -> str:
    """A published percentage with its digits; "" for None."""
    return "" if value is None else shown(value)
