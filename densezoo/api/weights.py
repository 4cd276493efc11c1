"""Fetches published weights into the cache and checks them. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from densezoo.errors import DownloadError
from densezoo.index import download
from densezoo.index.hub import find_prefixed


def fetch_weights(name: str, *, mirrors: Sequence[str] = ()) -> Path:
    """The file of a model's published weights, from the cache or fetched into it (`densezoo.index.download`).

    The cache is DENSEZOO_HOME, or ``densezoo`` in the user's cache directory. A file is checked at every use: against
    the size and hash that its publisher states, and against the sha256 that it had at its first use.

    Args:
        name: a name or alias of the index; ``hf-hub:owner/name`` or ``local-dir:folder`` (`densezoo.index.hub`).
        mirrors: base URLs or folders to try first; then those of DENSEZOO_MIRRORS, then the publisher.

    Raises:
        UnknownNameError: no such model.
        DownloadError: no location has the file as it was published, or the cache can't be written; says what to do.
    """
    return find_prefixed(name) or download.fetch_weights(name, mirrors)


def verify_weights() -> Mapping[Path, str]:
    """Check every file of the cache.

    Returns:
        {file: what it was held against, in words: "size and md5, sha256 of its first use"}; empty for an empty cache.

    Raises:
        DownloadError: a file is wrong; names each. The next `fetch_weights` moves it aside.
    """
    checked, faults = download.verify_cache()
    if faults:
        raise DownloadError("\n".join([f"{len(faults)} of {len(checked)} files are wrong", *faults]))
    return checked
