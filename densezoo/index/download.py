"""A model's published weights in the cache: fetched once, checked at every use.

``<cache>/weights/<model>/<file>`` with, beside each file, ``<file>.json``: the sha256 that it had at its first use.
Only files that are what their publisher states, and what they were, carry that name; what is not whole yet ends in
``.part``, what turned out to be something else in ``.wrong-<its sha256's first 8 digits>``.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from densezoo.errors import DownloadError
from densezoo.files import replacing
from densezoo.formats.identity import file_sha256, impostor
from densezoo.index.hashes import FileDigests
from densezoo.index.load import get_spec, load_index
from densezoo.index.locations import direct_url, file_name, locations, stated_mirrors
from densezoo.index.transfer import Expected, discard, transfer
from densezoo.paths import ROOT, cache_folder
from densezoo.types import ModelSpec, WeightSource

NO_FILES = (".json", ".part", ".lock")  # ends of what stands beside the files


@dataclass(frozen=True)
class CachedFile:
    """A published file in the cache; it need not be there.

    Args:
        model: name of the model.
        source: the published file.
        path: of the file in the cache.
    """

    model: str
    source: WeightSource
    path: Path

    @property
    def part(self) -> Path:
        """The file of the bytes that were fetched so far."""
        return self.path.with_name(f"{self.path.name}.part")


def fetch_weights(name: str, mirrors: Sequence[str] = ()) -> Path:
    """The file of a model's weights: the shipped one, or the one in the cache, fetched if it is not there yet.

    Of several published files the first one that can be fetched is taken. Processes that need the same model wait for
    the one that fetches it. A file that a user put into the cache is checked like any other.

    Args:
        name: a name or alias of the index.
        mirrors: base URLs or folders to try first, before those of DENSEZOO_MIRRORS; with the layout of the cache's
            ``weights`` folder, or flat.

    Raises:
        UnknownNameError: no such model.
        DownloadError: no location has the file as it was published; the cache can't be written.
    """
    spec = get_spec(name)
    for source in spec.weights:
        if source.path is not None:
            return ROOT / source.path
    folder = cache_folder() / "weights" / spec.name
    files = [CachedFile(spec.name, source, folder / file_name(spec.name, source)) for source in _loadable(spec)]
    checked = next(filter(_is_checked, files), None)  # needs no lock, so a cache may be read-only
    if checked:
        return checked.path
    try:
        with _locked(folder):
            return _fetch_first(files, [*mirrors, *stated_mirrors()])
    except OSError as error:
        raise DownloadError(
            f"{error.filename or folder}: the cache can't be written ({error.strerror or error}); "
            "make room or set DENSEZOO_HOME to another folder; what is there already will be used"
        ) from None


def _loadable(spec: ModelSpec) -> Sequence[WeightSource]:
    """The published files that densezoo can read.

    Raises:
        DownloadError: there is none.
    """
    if not spec.weights:
        raise DownloadError(f"{spec.name}: its publisher ({spec.publisher}) offers no weights")
    if not spec.readable_weights:
        published = "".join(f"\n  {source.url}: {source.not_loadable}" for source in spec.weights)
        raise DownloadError(f"{spec.name}: densezoo can't read its published weights{published}")
    return spec.readable_weights


def verify_cache() -> tuple[dict[Path, str], list[str]]:
    """Check every file of the cache; change nothing.

    Returns:
        {file: what it was held against, in words}, and one message for each file that is wrong.
    """
    specs, faults = load_index(), []
    checked: dict[Path, str] = {}
    for path in sorted((cache_folder() / "weights").glob("*/*")):
        if path.name.startswith(".") or path.suffix in NO_FILES or ".wrong-" in path.name:
            continue
        source = _published_as(path, specs.get(path.parent.name))
        checked[path] = _held_against(path, source)
        try:
            fault = _cached_fault(path, source)
        except OSError as error:
            fault = f"it can't be read ({error.strerror})"
        if fault:
            faults.append(f"{path}: {fault}")
    return checked, faults


def recorded_models(sha256: str) -> list[str]:
    """The models whose publishers state no hash and for which a file with this sha256 was fetched into the cache.

    Args:
        sha256: of the file, 64 hex digits.
    """
    specs = load_index()
    return [
        spec.name
        for spec in map(specs.get, sorted(path.name for path in (cache_folder() / "weights").glob("*")))
        if spec is not None and any(_was_used_as(spec.name, source, sha256) for source in spec.weights)
    ]


def _was_used_as(model: str, source: WeightSource, sha256: str) -> bool:
    path = cache_folder() / "weights" / model / file_name(model, source)
    return not source.is_hashed and _recorded_sha256(path) == sha256


def _published_as(path: Path, spec: ModelSpec | None) -> WeightSource | None:
    """The published file that a file in the folder of a model is by its name; None: it is none."""
    sources = spec.weights if spec else ()
    return next((source for source in sources if file_name(path.parent.name, source) == path.name), None)


def _held_against(path: Path, source: WeightSource | None) -> str:
    """What a file of the cache is held against, in words: "size and md5, sha256 of its first use"."""
    recorded = ["sha256 of its first use"] if _recorded_sha256(path) is not None else []
    return ", ".join([*([source.checks] if source and source.checks != "nothing" else []), *recorded]) or "nothing"


def _cached_fault(path: Path, source: WeightSource | None) -> str | None:
    """What is wrong with a file that was found in the folder of a model."""
    if source is None and _recorded_sha256(path) is None:
        return "it is neither in the index nor recorded; there is nothing to hold it against"
    return _fault(path, file_sha256(path), source or WeightSource("unknown", "unknown"), path)


def _fetch_first(files: Sequence[CachedFile], mirrors: Sequence[str]) -> Path:
    """The first of the files that is here or can be had."""
    problems = []
    for file in files:
        if _is_checked(file):  # fetched by another process meanwhile
            return file.path
        attempts = [(_fetch, location) for location in locations(file.model, file.source, mirrors)]
        if file.path.exists():  # put there by hand, or no longer what it was
            attempts.insert(0, (_adopt, str(file.path)))
        for attempt, location in attempts:
            try:
                path = attempt(location, file)
            except DownloadError as error:
                problems.append(str(error))
            else:
                _tell(problems)
                return path
        if file.source.withdrawn:
            problems.append(f"{file.source.url}: withdrawn by its publisher ({file.source.withdrawn})")
        elif direct_url(file.source.url or "") is None:
            problems.append(f"{file.source.url}: is no link to a file")
    tried = "\n  ".join(problems)
    first = next((file for file in files if not file.source.withdrawn), files[0])
    by_hand = "find a copy of them" if first.source.withdrawn else f"download them by hand from {first.source.url}"
    raise DownloadError(
        f"{first.model}: its weights can't be fetched\n  {tried}\n"
        f"{by_hand}\n"
        f"and put them at {first.path}, where they are checked ({_published(first.source)}) and used; "
        "or name a folder or site that has them: densezoo fetch_weights --mirror, or DENSEZOO_MIRRORS"
    )


def _fetch(location: str, file: CachedFile) -> Path:
    """Fetch a file from one location and check it."""
    source = file.source
    expected = Expected(source.file_size, hashed=source.is_hashed)
    with _progress(f"{file.model}: {file.path.name}") as progress:
        transfer(location, file.part, expected, progress)
    return _accept(file.part, file, location)


def _adopt(location: str, file: CachedFile) -> Path:
    """Check a file that has its name already."""
    return _accept(file.path, file, location)


def _accept(path: Path, file: CachedFile, location: str) -> Path:
    """Record a whole file and give it its name; or set it aside.

    Raises:
        DownloadError: it is not what was published or recorded.
    """
    digest = file_sha256(path)
    fault = _fault(path, digest, file.source, file.path)
    if fault:
        aside = file.path.with_name(f"{file.path.name}.wrong-{digest[:8]}")
        os.replace(path, aside)
        discard(file.part)
        raise DownloadError(f"{location}: {fault}; not used, moved to {aside}")
    with open(path, "rb") as content:
        os.fsync(content.fileno())
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
    record = {"sha256": digest, "size": path.stat().st_size, "from": location, "date": now}
    with replacing(_record(file.path)) as hidden:  # written before the weights get their name, in case of a full disk
        hidden.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        os.replace(path, file.path)
    discard(file.part)
    return file.path


def _is_checked(file: CachedFile) -> bool:
    """Whether a file is there, is what its publisher states, and is what it was at its first use."""
    try:
        digest = file_sha256(file.path)
        return digest == _recorded_sha256(file.path) and _fault(file.path, digest, file.source, file.path) is None
    except OSError:
        return False


def _fault(path: Path, digest: str, source: WeightSource, name: Path) -> str | None:
    """What is wrong with a file, by what its publisher states and what was recorded at its first use; None: nothing.

    Args:
        path: the file.
        digest: its sha256.
        source: the published file that it should be.
        name: its path in the cache, now or later; its record is beside that.
    """
    with open(path, "rb") as file:
        no_checkpoint = impostor(file.read(512))
    size = path.stat().st_size
    if no_checkpoint:
        return f"this is {no_checkpoint}"
    if size == 0:
        return "it is empty"
    if source.file_size not in (None, size):
        return f"it has {size:,} bytes; expected {_published(source)}"
    digests = FileDigests(path, digest)
    if (stated := digests.first_contradiction(source)) is not None:
        digits = digests.digest(stated.algorithm, stated.of)
        subject = f"its {stated.algorithm}" if stated.of is None else f"the {stated.algorithm} of {stated.of} in it"
        return f"{subject} is {digits or 'none: no such member can be read'}; expected {_published(source)}"
    recorded = _recorded_sha256(name)
    has_whole_hash = any(stated.is_whole for stated in source.stated_hashes)
    if (
        recorded in (None, digest)
        or has_whole_hash
        or (source.hash_prefix is not None and not source.is_file(str(recorded)))
    ):
        return None  # a record of a file that was published before doesn't matter
    return (
        f"its sha256 is {digest}, but was {recorded} at its first use; "
        f"if its publisher has replaced it, remove {_record(name)}"
    )


def _published(source: WeightSource) -> str:
    """What a publisher states of a file, in words."""
    size = None if source.file_size is None else f"{source.file_size:,} bytes"
    stated = [size, *map(str, source.stated_hashes)]
    return " and ".join(filter(None, stated)) or "neither size nor hash are published"


def _record(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _recorded_sha256(path: Path) -> str | None:
    """The sha256 in a file's record; None if there is no readable record."""
    try:
        record = json.loads(_record(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    digest = record.get("sha256") if isinstance(record, dict) else None
    return digest if isinstance(digest, str) else None


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Allow one process at a time in a model's folder; the lock ends with its process in any case.

    Raises:
        OSError: the folder can't be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        _tell([f"waiting for another process that fetches {folder.name}"])
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _tell(lines: Sequence[str]) -> None:
    """Print lines on stderr."""
    for line in lines:
        print(line, file=sys.stderr)  # noqa: T201


@contextmanager
def _progress(title: str) -> Iterator[Callable[[int, int | None], None]]:
    """Show a bar on stderr if that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, TimeRemainingColumn(), console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
