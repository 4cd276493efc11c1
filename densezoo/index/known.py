"""Finds the model of the index that a file's weights are of."""

from __future__ import annotations

from pathlib import Path

from densezoo.errors import CheckpointError, ConfigError
from densezoo.index.download import recorded_models
from densezoo.index.hashes import FileDigests
from densezoo.index.load import find_by_sha256, get_spec, load_index
from densezoo.index.locations import file_name
from densezoo.types import KnownBy, ModelSpec, WeightSource


def identify(path: Path, sha256: str, name: str | None = None) -> tuple[ModelSpec | None, KnownBy | None]:
    """The model whose weights a file holds, and how that is known; (None, None): it is not known.

    Args:
        path: the file.
        sha256: of its content, 64 hex digits.
        name: of the model, as the user states it; None: the user states none.

    Raises:
        UnknownNameError: there is no model of that name.
        CheckpointError: the statement is wrong: the file is another model's, or not what the publisher states.
    """
    digests = FileDigests(path, sha256)
    published, recorded = find_by_sha256(sha256) or _find_by_other_hash(digests), recorded_models(sha256)
    if name is not None:
        return _as_stated(digests, sha256, get_spec(name), published, recorded)
    if published is not None:
        return published, "published-hash"
    return (get_spec(recorded[0]), "first-use-hash") if len(recorded) == 1 else (None, None)


def own_protocol(path: str | Path, spec: ModelSpec | None, stated: str | None, usual: str | None) -> str:
    """The name of the protocol that a file's weights are used with; "" if nobody says.

    Args:
        path: the file, for the message.
        spec: the model of the index whose weights it holds; None: of none.
        stated: the protocol that densezoo wrote into the file; None: it wrote none.
        usual: that of the source's networks as a rule, or the config's; None: it is not known.

    Raises:
        ConfigError: file and index contradict each other: whoever is wrong, a number under the wrong one is, too.
    """
    listed = spec.protocol if spec else ""
    if spec and listed and stated and stated != listed:
        raise ConfigError(
            f"{path}: says that its pictures are prepared by protocol {stated}, and {', '.join(spec.metafiles)} says "
            f"{listed} of it ({spec.name}); correct the one that is wrong"
        )
    return listed or stated or usual or ""


def _find_by_other_hash(digests: FileDigests) -> ModelSpec | None:
    """The model of whose published files one has no sha256 stated, but other hashes, all of which the file has."""
    for spec in load_index().values():
        for source in spec.weights:
            if _has_other_hashes(source) and digests.first_contradiction(source) is None:
                return spec
    return None


def _has_other_hashes(source: WeightSource) -> bool:
    return source.is_hashed and source.sha256 is None and source.hash_prefix is None


def _as_stated(
    digests: FileDigests, sha256: str, spec: ModelSpec, published: ModelSpec | None, recorded: list[str]
) -> tuple[ModelSpec, KnownBy]:
    path = digests.path
    if any(source.is_hashed and digests.first_contradiction(source) is None for source in spec.weights):
        return spec, "published-hash"
    wrong = f"{path}: expected the weights of {spec.name}, found those of"
    if published is not None:
        raise CheckpointError(f"{wrong} {published.name}, as their published hash says; give that name, or none")
    candidates = _candidates(path, spec)
    if candidates and all(source.is_hashed for source in candidates):
        expected = " or ".join(" and ".join(map(str, source.stated_hashes)) for source in candidates)
        raise CheckpointError(f"{path}: expected {expected}, found the sha256 {sha256}; fetch the file again")
    if recorded and spec.name not in recorded:
        raise CheckpointError(
            f"{wrong} {' and '.join(recorded)}, for which the cache got them; give that name, or none"
        )
    return spec, "first-use-hash" if recorded else "user"


def _candidates(path: Path, spec: ModelSpec) -> list[WeightSource]:
    """The published files that this one may be: those with its extension; if there is none, all."""
    alike = [source for source in spec.weights if Path(file_name(spec.name, source)).suffix == path.suffix]
    return alike or list(spec.weights)
