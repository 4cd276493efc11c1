"""Weights in a repository on huggingface.co, or in a folder like one, by timm's names: hf-hub:owner/name, local-dir:x.

No code from a repository is run: ``model.safetensors`` and ``config.json`` alone are fetched, of one commit, and held
against the hashes that the hub states. Imports no torch.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from densezoo.errors import ConfigError, DownloadError
from densezoo.formats.identity import file_sha256
from densezoo.index.transfer import LIMIT
from densezoo.paths import cache_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi

WEIGHTS, CONFIG = "model.safetensors", "config.json"
HUB, FOLDER = ("hf-hub:", "hf_hub:"), "local-dir:"


def find_prefixed(name: str) -> Path | None:
    """The file of weights that a name with a prefix means, fetched if need be; None: the name has no prefix.

    Args:
        name: ``hf-hub:owner/name``, with ``@revision`` after it for a branch, tag or commit; ``local-dir:folder``.

    Raises:
        DownloadError: as of `fetch_from_hub`.
        ConfigError: the folder has no model.safetensors.
    """
    if name.startswith(FOLDER):
        path = Path(name.removeprefix(FOLDER)).expanduser() / WEIGHTS
        if not path.is_file():
            raise ConfigError(f"{name}: there is no {path}; expected a folder as densezoo convert --to hf writes it")
        return path
    prefix = next((prefix for prefix in HUB if name.startswith(prefix)), None)
    if prefix is None:
        return None
    repo, _, revision = name.removeprefix(prefix).partition("@")
    return fetch_from_hub(repo, revision=revision or None)


def fetch_from_hub(
    repo: str, *, revision: str | None = None, sha256: str | None = None, token: str | None = None
) -> Path:
    """The file of a repository's weights, in the cache, with its config.json beside it if there is one.

    Args:
        repo: "owner/name".
        revision: branch, tag or commit; a commit alone always means the same files.
        sha256: of the weights, 64 hex digits; None: what the hub states is all that they are held against.
        token: for a private repository.

    Raises:
        DownloadError: there is no such file, it is too large, or it has not the sha256 that was stated.
    """
    api = hub_client(token)
    try:
        info = api.model_info(repo, revision=revision, files_metadata=True)
        stated = {file.rfilename: file for file in info.siblings or ()}
        if WEIGHTS not in stated:
            raise DownloadError(f"{repo}: has no {WEIGHTS}")
        paths = {}
        for name in (CONFIG, WEIGHTS):  # fixed names: no path comes from the server
            if name not in stated:
                continue
            if (stated[name].size or 0) > LIMIT:
                raise DownloadError(f"{repo}: {name} has {stated[name].size:,} bytes; expected at most {LIMIT:,}")
            paths[name] = Path(api.hf_hub_download(repo, name, revision=info.sha, cache_dir=cache_folder() / "hub"))
            lfs = stated[name].lfs
            _check(repo, paths[name], lfs.sha256 if lfs else None, stated[name].blob_id)
    except hub_errors() as error:
        raise DownloadError(f"{repo}: can't be fetched from the hub ({first_line(error)})") from None
    if sha256 is not None and file_sha256(paths[WEIGHTS]) != sha256.lower():
        raise DownloadError(f"{repo}: {WEIGHTS} has not the sha256 {sha256}, but {file_sha256(paths[WEIGHTS])}")
    return paths[WEIGHTS]


def hub_client(token: str | None) -> HfApi:
    """The client of the hub at HF_ENDPOINT.

    Args:
        token: of the user; None: the one of ``hf auth login`` or HF_TOKEN.
    """
    from huggingface_hub import HfApi

    return HfApi(endpoint=os.environ.get("HF_ENDPOINT"), token=token)


def hub_errors() -> tuple[type[Exception], ...]:
    """What the hub's client raises: its own errors, and those of the package it has for HTTP.

    That package differs with the client's version (requests, httpx, httpx2); its base class is one of HfHubHTTPError's.
    """
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError  # here, because it is slow to import

    own = ("builtins", "huggingface_hub")
    bases = [base for base in HfHubHTTPError.__mro__ if base.__module__.partition(".")[0] not in own]
    return (HfHubHTTPError, HFValidationError, OSError, *(base for base in bases if issubclass(base, Exception)))


def first_line(error: Exception) -> str:
    """What went wrong, of an error whose message may be a page long."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _check(repo: str, path: Path, sha256: str | None, blob: str | None) -> None:
    """Hold a fetched file against the sha256 or the git hash that the hub states for it; remove a wrong one.

    Raises:
        DownloadError: it has another, or none is stated.
    """
    content = path.read_bytes()
    own = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()
    if (sha256 is not None and file_sha256(path) == sha256) or (sha256 is None and blob == own):
        return
    path.resolve().unlink()
    raise DownloadError(f"{repo}: {path.name} is not the file whose hash the hub states ({sha256 or blob}); try again")
