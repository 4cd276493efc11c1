"""What a file is before a reader opens it: its sha256, and whether it is a page in place of a file. Needs no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: (how a file that is no checkpoint starts, what it is).
IMPOSTORS = [
    (b"<!doctype html", "an HTML page, saved in place of a download"),
    (b"<html", "an HTML page, saved in place of a download"),
    (b"<?xml", "an XML page (a download service's error?), saved in place of a download"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; run 'git lfs pull'"),
    (b"{", "a JSON text (a download service's error, or the index of weights in several files?)"),
]


def impostor(head: bytes) -> str | None:
    """What a file that begins with these bytes is, if it is no checkpoint but one of the usual things in its place."""
    start = head.lstrip().lower()
    return next((what for signature, what in IMPOSTORS if start.startswith(signature)), None)


def file_sha256(path: str | Path) -> str:
    """64 hex digits."""
    with open(path, "rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
