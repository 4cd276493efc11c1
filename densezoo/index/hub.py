"""Weights in a repository on huggingface.co, or in a folder like one, by timm's names: hf-hub:owner/name, local-dir:x.

No code from a repository is run: ``model.safetensors`` and ``config.json`` alone are fetched, of one commit, and held
against the hashes that the hub states. Imports no torch.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from densezoo.errors import ConfigError, DownloadError
from densezoo.files import replacing
from densezoo.formats.identity import file_sha256
from densezoo.index.transfer import LIMIT
from densezoo.paths import cache_folder

if TYPE_CHECKING:
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import ModelInfo

WEIGHTS, CONFIG = "model.safetensors", "config.json"
MAIN = "main"  # the branch that is meant where no revision is named
SILENCE = 30.0  # seconds after which the hub counts as out of reach
HUB, FOLDER = ("hf-hub:", "hf_hub:"), "local-dir:"


@dataclass(frozen=True)
class Stated:
    """What the hub states of a file.

    Args:
        name: in its repository.
        size: bytes; 0: not stated.
        sha256: 64 hex digits; None: the file is none of Git LFS.
        blob: git's hash of the file, 40 hex digits.
    """

    name: str
    size: int
    sha256: str | None
    blob: str | None


@dataclass(frozen=True)
class Commit:
    """What the hub states of a commit.

    Args:
        sha: 40 hex digits.
        files: those of the commit that are used: model.safetensors, and config.json if there is one.
    """

    sha: str
    files: Sequence[Stated]


def find_prefixed(name: str) -> Path | None:
    """The file of weights that a name with a prefix means, fetched if need be; None: the name has no prefix.

    Args:
        name: ``hf-hub:owner/name``, with ``@revision`` after it for a branch, tag or commit; ``local-dir:folder``.

    Raises:
        DownloadError: there is no such file, it is too large, or it has not the sha256 that the hub states.
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
    api, revision = hub_client(token), revision or MAIN
    commit, reached = _commit(api, repo, revision)
    try:
        paths, digests = {}, {}
        for file in commit.files:  # of fixed names: no path comes from the server
            path = api.hf_hub_download(
                repo, file.name, revision=commit.sha, cache_dir=cache_folder() / "hub", local_files_only=not reached
            )
            paths[file.name] = Path(path)
            digests[file.name] = _check(repo, paths[file.name], file)
    except hub_errors() as error:
        raise DownloadError(f"{repo}: can't be fetched from the hub ({first_line(error)})") from None
    if reached:
        _keep(api.endpoint, repo, {revision, commit.sha}, commit)
    if sha256 is not None:
        digest = digests[WEIGHTS] or file_sha256(paths[WEIGHTS])
        if digest != sha256.lower():
            raise DownloadError(f"{repo}: {WEIGHTS} has not the sha256 {sha256}, but {digest}")
    return paths[WEIGHTS]


def _commit(api: HfApi, repo: str, revision: str) -> tuple[Commit, bool]:
    """(the commit of a revision, whether the hub was asked); without a network what it stated when it was last asked.

    Raises:
        DownloadError: the hub has no such repository or revision, or can't be reached and nothing of it is kept.
    """
    try:
        commit = _stated(repo, api.model_info(repo, revision=revision, files_metadata=True, timeout=SILENCE))
    except hub_errors() as error:
        kept = _kept(api.endpoint, repo, revision) if _out_of_reach(error) else None
        if kept is None:
            raise DownloadError(f"{repo}: can't be fetched from the hub ({first_line(error)})") from None
        logging.getLogger("densezoo").warning(
            "warning: %s: the hub can't be reached (%s); taken from the cache: commit %s, which %s was when it was "
            "last asked",
            repo, first_line(error), kept.sha, revision,
        )  # fmt: skip
        return kept, False
    return commit, True


def _stated(repo: str, info: ModelInfo) -> Commit:
    """What the hub states of a commit's files.

    Raises:
        DownloadError: it has no weights, or a file that is too large.
    """
    listed = {file.rfilename: file for file in info.siblings or ()}
    if WEIGHTS not in listed:
        raise DownloadError(f"{repo}: has no {WEIGHTS}")
    files = []
    for name in (CONFIG, WEIGHTS):
        if name in listed:
            size, lfs = listed[name].size or 0, listed[name].lfs
            if size > LIMIT:
                raise DownloadError(f"{repo}: {name} has {size:,} bytes; expected at most {LIMIT:,}")
            files.append(Stated(name, size, lfs.sha256 if lfs else None, listed[name].blob_id))
    return Commit(str(info.sha), files)


def _out_of_reach(error: Exception) -> bool:
    """Whether there was no answer, or none of the hub itself: not that it has no such file, or keeps it to others."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return not isinstance(error, ValueError) and (status is None or status >= 500)


def _note(endpoint: str, repo: str, revision: str) -> Path:
    """Where it is kept what the hub at an address stated of a revision; another's repository may have the same name."""
    name = "@".join(quote(part, safe="") for part in (repo, revision))
    return cache_folder() / "hub" / "stated" / quote(endpoint, safe="") / f"{name}.json"


def _keep(endpoint: str, repo: str, revisions: set[str], commit: Commit) -> None:
    """Keep what the hub stated, for a time without a network; a cache that can't be written keeps nothing."""
    for revision in revisions:
        note = _note(endpoint, repo, revision)
        try:
            note.parent.mkdir(parents=True, exist_ok=True)
            with replacing(note) as hidden:
                hidden.write_text(json.dumps(asdict(commit), indent=2) + "\n", encoding="utf-8")
        except OSError:
            return


def _kept(endpoint: str, repo: str, revision: str) -> Commit | None:
    """What was kept of a revision; None: nothing that can be read."""
    try:
        found = json.loads(_note(endpoint, repo, revision).read_text(encoding="utf-8"))
        commit = Commit(str(found["sha"]), [Stated(**file) for file in found["files"]])
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return commit if WEIGHTS in [file.name for file in commit.files] else None


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


def _check(repo: str, path: Path, stated: Stated) -> str | None:
    """Hold a fetched file against the one hash that the hub states for it, its sha256 or git's; remove a wrong one.

    Returns:
        Its sha256; None: that wasn't asked for.

    Raises:
        DownloadError: it has another, or none is stated.
    """
    sha256 = file_sha256(path) if stated.sha256 is not None else None
    if (sha256 == stated.sha256) if sha256 else (_git_hash(path) == stated.blob):
        return sha256
    path.resolve().unlink()
    expected = stated.sha256 or stated.blob
    raise DownloadError(f"{repo}: {path.name} is not the file whose hash the hub states ({expected}); try again")


def _git_hash(path: Path) -> str:
    """git's hash of a file."""
    digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
