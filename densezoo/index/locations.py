"""Where the bytes of a published file may be had, and what it is called in the cache."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from densezoo.types import WeightSource

#: (what a publisher links to, where the same site serves the file itself). The index keeps the publisher's own link.
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
    """``DENSEZOO_MIRRORS``: base URLs or folders, with spaces or commas between them."""
    return re.findall(r"[^\s,]+", os.environ.get("DENSEZOO_MIRRORS", ""))


def direct_url(url: str) -> str | None:
    """Where a publisher's link serves the file itself; None: it is words, not a link."""
    for link, direct in DIRECT_LINKS:
        if re.fullmatch(link, url):
            return re.sub(link, direct, url)
    return url if re.match(r"(https?|file)://\S+$", url) else None


def file_name(model: str, source: WeightSource) -> str:
    """What a file is called in the cache and on a mirror: as its URL ends, or ``<model>.<format>``."""
    name = PurePosixPath(urlsplit(direct_url(source.url or "") or "").path).name
    return name if PurePosixPath(name).suffix else f"{model}.{source.format.split()[0]}"


def locations(model: str, source: WeightSource, mirrors: Sequence[str]) -> list[str]:
    """URLs and paths to ask for a file, in this order: mirrors, the publisher's URL unless withdrawn, its own mirrors.

    A mirror has ``<model>/<file>``, as the cache has. A flat one (``<file>``) is asked only for files with a published
    hash: many files are called model.safetensors.

    Args:
        mirrors: base URLs (https, http, file) or folders.
    """
    name = file_name(model, source)
    ends = [f"{model}/{name}", name] if source.is_hashed else [f"{model}/{name}"]
    on_mirrors = [f"{base.rstrip('/')}/{end}" for base in mirrors for end in ends]
    own = () if source.withdrawn else (source.url,)
    published = [direct_url(url) for url in (*own, *source.mirrors) if url]
    return list(dict.fromkeys([*on_mirrors, *filter(None, published)]))
