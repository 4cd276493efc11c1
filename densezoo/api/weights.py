"""Published weights in the cache: fetched into it, and checked. Imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from densezoo.errors import DownloadError
from densezoo.index import download


def fetch_weights(name: str, *, mirrors: Sequence[str] = ()) -> Path:
    """The file of a model's published weights, from the cache or fetched into it (`densezoo.index.download`).

    The cache is DENSEZOO_HOME, or ``densezoo`` in the user's cache directory. A file is checked at every use: against
    what its publisher states, and against the sha256 that it had at its first use.

    Args:
        mirrors: base URLs or folders that are asked first; then those of DENSEZOO_MIRRORS, then the publisher.

    Raises:
        UnknownNameError: no such model.
        DownloadError: no place has the file as it was published, the cache can't be written; says what to do by hand.
    """
    return download.fetch_weights(name, mirrors)


def verify_weights() -> int:
    """Check every file of the cache anew; returns how many there are.

    Raises:
        DownloadError: names every file that is wrong; the next `fetch_weights` moves it aside.
    """
    checked, faults = download.verify_cache()
    if faults:
        raise DownloadError("\n".join([f"{len(faults)} of {checked} files are wrong", *faults]))
    return checked
