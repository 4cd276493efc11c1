"""The locations of a published file (URLs and paths), and its name in the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from densezoo.types import WeightSource

#: (pattern of a publisher's link, URL of the file itself on the same site). The index keeps the publisher's own link.
DIRECT_LINKS = [
    # huggingface_hub's own scheme (its constants.HUGGINGFACE_CO_URL_TEMPLATE); its cache would be a second one
    (r"(https://huggingface\.co/[\w.-]+/[\w.-]+)/?", r"\1/resolve/main/model.safetensors"),
    (r"(https://github\.com/[\w.-]+/[\w.-]+) \((\S+)\)", r"\1/raw/HEAD/\2"),
    # the link behind Drive's download button; where a file needs a login, it answers a page that says so
    (
        r"https://drive\.google\.com/(?:open\?id=|file/d/)([\w-]+).*",
        r"https://drive.usercontent.google.com/download?id=\1&export=download&confirm=t",
    ),
]


def stated_mirrors() -> list[str]:
    """The base URLs or folders in ``DENSEZOO_MIRRORS``, which spaces or commas separate."""
    return re.findall(r"[^\s,]+", os.environ.get("DENSEZOO_MIRRORS", ""))


def direct_url(url: str) -> str | None:
    """The URL of the file itself for a publisher's link; None: it is text, not a link.

    Args:
        url: as the publisher states it.
    """
    for link, direct in DIRECT_LINKS:
        if re.fullmatch(link, url):
            return re.sub(link, direct, url)
    return url if re.match(r"(https?|file)://\S+$", url) else None


def file_name(model: str, source: WeightSource) -> str:
    """The name of a file in the cache and on mirrors: the last part of its URL, or ``<model>.<format>``.

    Args:
        model: name of the model.
        source: the published file.
    """
    name = PurePosixPath(urlsplit(direct_url(source.url or "") or "").path).name
    return name if PurePosixPath(name).suffix else f"{model}.{source.format.split()[0]}"


def locations(model: str, source: WeightSource, mirrors: Sequence[str]) -> list[str]:
    """URLs and paths to try for a file, in order: mirrors, the publisher's URL unless withdrawn, its own mirrors.

    A mirror has ``<model>/<file>``, as the cache has. A flat one (``<file>``) is asked only for files with a published
    hash: many files are called model.safetensors.

    Args:
        model: name of the model.
        source: the published file.
        mirrors: base URLs (https, http, file) or folders.
    """
    name = file_name(model, source)
    ends = [f"{model}/{name}", name] if source.is_hashed else [f"{model}/{name}"]
    on_mirrors = [f"{base.rstrip('/')}/{end}" for base in mirrors for end in ends]
    own = () if source.withdrawn else (source.url,)
    published = [direct_url(url) for url in (*own, *source.mirrors) if url]
    return list(dict.fromkeys([*on_mirrors, *filter(None, published)]))
