"""Shares networks on huggingface.co: a folder that timm loads, a repository, and back from there, checked."""

from __future__ import annotations

import json
import shlex
import tempfile
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from densezoo import protocols
from densezoo.api.conversion import convert_checkpoint
from densezoo.api.starts import INTRODUCTION
from densezoo.conversion.load import load_checkpoint
from densezoo.conversion.timm_config import timm_config
from densezoo.errors import ConfigError
from densezoo.families import architecture_values, with_defaults
from densezoo.files import making_folder
from densezoo.formats.identity import file_sha256
from densezoo.index.hub import CONFIG, WEIGHTS, fetch_from_hub, first_line, hub_client, hub_errors
from densezoo.protocols.own import MARK
from densezoo.protocols.text import protocol_text
from densezoo.results.hub import eval_results
from densezoo.results.shared_card import PROTOCOL, Shared, shared_card
from densezoo.types import Architecture, ConversionReport, EvalResult, Measurement, Protocol

CARD, SUMS, EVAL_RESULTS = "README.md", "SHA256SUMS", ".eval_results/densezoo.yaml"
WRITTEN = (CONFIG, PROTOCOL, EVAL_RESULTS)  # for some weights only: a push removes what an earlier one left


def save_for_hub(
    source: str | Path,
    folder: str | Path,
    *,
    repo: str | None = None,
    license: str | None = None,
    results: Sequence[Measurement] = (),
    for_timm: bool = True,
    **options: object,
) -> list[Path]:
    """Write a folder that ``timm.create_model("local-dir:FOLDER")`` loads and that huggingface.co takes as it is.

    Args:
        source: a checkpoint of any system.
        folder: to make; new or empty.
        repo: "owner/name" that it will have there, for the card; None: an owner to be filled in, and the source's name.
        license: of the weights, as huggingface.co names it; None: the card names none.
        results: what was measured of this file; others are refused.
        for_timm: write timm's config.json; False: none, for a network that timm can't build.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Returns:
        The files.

    Raises:
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, or an incomplete one; timm can't express the network.
        ConfigError: there is something of the folder's name; a result is of other weights; nobody knows the protocol.
    """
    source, folder = Path(source), Path(folder)
    repo = repo or f"OWNER/{source.stem}"
    with making_folder(folder) as hidden:
        _, written = convert_checkpoint(source, hidden / WEIGHTS, to="densezoo", verify=False, **options)
        shared = _shared(source, hidden / WEIGHTS, repo, license, results)
        check_results(results, source, (written["sha256"], written["source_sha256"]), shared.architecture)
        protocol = protocols.get_protocol(shared.protocol)
        if for_timm:
            config = timm_config(shared.architecture, protocol, shared.classes)
            (hidden / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            load_checkpoint(hidden / WEIGHTS)  # held against the config.json that now lies beside it
        write_own_protocol(hidden / PROTOCOL, protocol)
        (hidden / CARD).write_text(shared_card(shared), encoding="utf-8")
        if accuracies := [result for result in results if isinstance(result, EvalResult)]:
            (hidden / EVAL_RESULTS).parent.mkdir()
            (hidden / EVAL_RESULTS).write_text(eval_results(accuracies), encoding="utf-8")
        files = [*files_below(hidden), write_sums(hidden)]
    return [folder / path.relative_to(hidden) for path in files]


def _shared(source: Path, weights: Path, repo: str, license: str | None, results: Sequence[Measurement]) -> Shared:
    """What the card says of a file that was written from a source.

    Raises:
        ConfigError: nobody knows the protocol.
    """
    report = load_checkpoint(weights)[1]
    if report.protocol is None:
        raise ConfigError(
            f"{source}: doesn't say how pictures are prepared for it, and the index doesn't know it; give the file "
            f"that densezoo publish {shlex.quote(str(source))} --protocol NAME --dataset NAME -o FOLDER writes: it "
            "says so"
        )
    names = report.stated.get("class_names")
    return Shared(
        name=repo.rpartition("/")[2],
        address=f"hf-hub:{repo}",
        file=weights.name,
        size=weights.stat().st_size,
        sha256=file_sha256(weights),
        architecture=report.architecture,
        protocol=report.protocol,
        licence=license,
        results=[(result, "") for result in results],
        classes=[str(name) for name in names] if isinstance(names, list) else (),
        dataset=str(report.stated.get("dataset") or ""),
        multi_label=bool(report.stated.get("multi_label")),
    )


def check_results(results: Sequence[Measurement], source: Path, hashes: Sequence[str], arch: Architecture) -> None:
    """Refuse a result of other weights, or of the same ones computed in another way.

    Args:
        results: that are to be published.
        source: the file, for the message.
        hashes: the sha256 of the source and of what is written of it.
        arch: of the network that is published.

    Raises:
        ConfigError: a result is of none of them, of a sample of a dataset, or of another network with these weights.
    """
    published = with_defaults(architecture_values(arch))
    for result in results:
        if result.sampled_from is not None:
            raise ConfigError(f"{result!r}: is of {result.images(result.num_samples)}, which is no result to publish")
        label = f"{result.model}@{result.protocol}"
        if result.weights_sha256 not in hashes:
            raise ConfigError(f"the result {label} is not of {source}, but of other weights")
        measured = with_defaults(result.architecture or published)
        for name in sorted({*measured, *published}):
            was, now = measured.get(name), published.get(name)
            if was != now:
                raise ConfigError(f"the result {label} was measured with {name} {was!r}, but {now!r} is published")


def write_own_protocol(path: Path, protocol: Protocol) -> None:
    """Write the commented YAML file of a protocol; of a named one nothing.

    Args:
        path: of the file.
        protocol: any.
    """
    base, mark, _ = protocol.name.partition(MARK)
    if mark:
        path.write_text(protocol_text(protocol, base, INTRODUCTION), encoding="utf-8")


def push_to_hub(
    source: str | Path, repo: str, *, private: bool = False, token: str | None = None, **options: object
) -> str:
    """Put a network on huggingface.co, as `save_for_hub` writes it, in one commit; return the commit's address.

    What an earlier push left there and this one doesn't write, such as its results, is removed.

    Args:
        source: a checkpoint of any system.
        repo: "owner/name"; it is made if need be.
        private: whether a new repository can be seen by its owner alone; one that is public already is refused.
        token: of the owner; None: the one of ``hf auth login`` or HF_TOKEN.
        options: further arguments of `save_for_hub`.

    Raises:
        ConfigError: the hub refuses; a private one is asked for and it is public; a result is of other weights; nobody
            knows the protocol.
        FormatError, CheckpointError: the file can't be read, or holds no network that timm can express.
    """
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        files = save_for_hub(source, folder, repo=repo, **options)  # type: ignore[arg-type]  # its own arguments by name
        new = {path.relative_to(folder).as_posix(): path for path in files}
        added = [CommitOperationAdd(name, path) for name, path in new.items()]
        api = hub_client(token)
        try:
            api.create_repo(repo, private=private, exist_ok=True)
            info = api.model_info(repo)
            if private and not info.private:
                raise ConfigError(
                    f"{repo}: is there already, and public; make it private there, or leave --private out"
                )
            there = {file.rfilename for file in info.siblings or ()}
            gone = [CommitOperationDelete(name) for name in WRITTEN if name in there - new.keys()]
            return str(api.create_commit(repo, [*added, *gone], commit_message="Add weights by densezoo").commit_url)
        except hub_errors() as error:
            raise ConfigError(f"{repo}: the hub doesn't take it ({first_line(error)})") from None


def load_from_hub(
    repo: str, *, revision: str | None = None, sha256: str | None = None, token: str | None = None, **options: object
) -> tuple[nn.Module, ConversionReport]:
    """The network of a repository on huggingface.co, read without running any code from it.

    Args:
        repo: "owner/name".
        revision: branch, tag or commit; a commit alone always means the same files.
        sha256: of the weights, 64 hex digits; None: what the hub states is all that they are held against.
        token: for a private repository.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        DownloadError: there is no such file, it is too large, or it has not the sha256 that was stated.
        FormatError: the file can't be read without running code from it, or not at all.
        CheckpointError: it holds no network of a known family, or an incomplete one.
    """
    return load_checkpoint(fetch_from_hub(repo, revision=revision, sha256=sha256, token=token), None, **options)


def files_below(folder: Path) -> list[Path]:
    """Every file of a folder and of those in it, ordered."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


def write_sums(folder: Path) -> Path:
    """Write the sha256 of every file of a folder, as ``sha256sum --check`` reads it; return the file.

    Args:
        folder: that holds everything already.
    """
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}\n" for path in files_below(folder)]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
    return folder / SUMS
