"""Writes a folder that is ready to be published: weights named by their hash, index, card, config, results, hashes."""

from __future__ import annotations

import dataclasses
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from densezoo.api.described import DescribedWeights, describe_weights
from densezoo.api.documents import check_index
from densezoo.api.index import own_results
from densezoo.api.sharing import CARD, SUMS, check_results, files_below, write_own_protocol, write_sums
from densezoo.conversion.export import export
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import ConfigError, MetafileError
from densezoo.families.claims import num_params, operations
from densezoo.families.flops import flops
from densezoo.files import making_folder
from densezoo.formats.identity import file_sha256
from densezoo.index.load import load_index
from densezoo.paths import INDEX as PUBLIC
from densezoo.paths import results_folder
from densezoo.protocols import get_protocol
from densezoo.protocols.own import MARK
from densezoo.results import publication
from densezoo.results.publication import CONFIG, INDEX, METAFILE, Publication
from densezoo.results.shared_card import PROTOCOL, Shared, shared_card
from densezoo.results.store import read_label_results, read_results, result_path, write_result
from densezoo.types import LabelResult, Measurement, ModelSpec, WeightSource

NAME = re.compile(r"[a-z0-9_]+\.[a-z0-9_]+")  # of a model: arch.tag
RESULTS = "results"  # beside a file of weights, as densezoo train and a private index have it


@dataclass(frozen=True)
class Published:
    """A folder that is ready to be published.

    Args:
        name: of the model.
        protocol: the name of its protocol.
        weights: the file of weights.
        sha256: of that file.
        kept: whether it is, byte for byte, the file that was given.
        results: what was measured of the file, and is published with it.
        files: all files.
    """

    name: str
    protocol: str
    weights: Path
    sha256: str
    kept: bool
    results: tuple[Measurement, ...]
    files: tuple[Path, ...]


def publish(
    source: str | Path,
    folder: str | Path,
    *,
    config: str | Path | None = None,
    protocol: str | None = None,
    dataset: str | None = None,
    class_names: str | Path | Sequence[str] | None = None,
    name: str | None = None,
    license: str | None = None,
    code: str | None = None,
    url: str | None = None,
    results: Sequence[Measurement] = (),
    overwrite: bool = False,
    **options: object,
) -> Published:
    """Write a folder with all that using, checking and listing weights needs.

    The folder is a private index (``--index FOLDER/model-index.yml``). ``<name>-<8 digits of the sha256>.safetensors``
    has the source's bytes if that says all already, as a trained file does; otherwise the same weights to the bit.

    Args:
        source: a checkpoint of any system.
        folder: to make; new or empty.
        config: whose network, dataset and protocol it is; None: what the file says, else the index of its hash.
        protocol, dataset, class_names: in place of the config's or the file's.
        name: ``arch.tag`` in lower case, not one of densezoo's; None: the file's, with the tag "own".
        license, code: of the weights, such as "mit", and the URL of what made them; None: nobody says.
        url: of the folder where the file of weights will lie; None: it stays beside the index.
        results: what was measured of the source (`stored_results`); others are refused.
        overwrite: replace a folder that an earlier call wrote, if it holds nothing else.
        options: fields of `Architecture` that the file doesn't carry (``aa_layer="blurpool"``, ``bn_eps``, ...).

    Raises:
        FormatError, CheckpointError: the file can't be read, or holds no whole network of a known family.
        ConfigError: what isn't known and not given; a name or URL that can't be; others' results; the folder is there.
    """
    source, folder = Path(source), Path(folder)
    name = _checked_name(name, source)
    if overwrite:
        _check_replaceable(folder, results)
    read = _as_measured(describe_weights(source, config, protocol, dataset, class_names, **options), results)
    check_results(results, source, [read.sha256], read.report.architecture)
    with making_folder(folder, replace=overwrite) as hidden:
        weights, kept = _write_weights(hidden, name, read)
        published = Published(name, read.protocol.name, weights, file_sha256(weights), kept, tuple(results), ())
        _write_documents(hidden, published, read, _write_results(hidden, published), license, code, url)
        _check_listed(hidden, folder, published)
        files = tuple(folder / path.relative_to(hidden) for path in [*files_below(hidden), write_sums(hidden)])
    return dataclasses.replace(published, weights=folder / weights.name, files=files)


def _as_measured(read: DescribedWeights, results: Sequence[Measurement]) -> DescribedWeights:
    """The weights, which give several labels if that was measured of them."""
    if any(isinstance(result, LabelResult) for result in results):
        return dataclasses.replace(read, facts={**read.facts, "multi_label": True})
    return read


def stored_results(source: str | Path, folder: str | Path | None = None) -> list[Measurement]:
    """What was measured of a file of weights, by its sha256.

    Args:
        source: the file; of one that isn't there nothing was measured.
        folder: of stored results; None: ``results`` beside the file, and the folder that measurements go to.

    Raises:
        ResultError: a file in ``folder``, beside the weights or in a private index's results is no result.
    """
    if not Path(source).is_file():
        return []
    sha256 = file_sha256(Path(source))
    results = _read(folder or Path(source).parent / RESULTS)
    if folder is None and results_folder().resolve() != (Path(source).parent / RESULTS).resolve():
        results += own_results(_read)
    own = {
        (type(result), result.dataset, str(result.conditions)): result
        for result in results
        if result.weights_sha256 == sha256
    }
    return list(own.values())


def _read(folder: str | Path) -> list[Measurement]:
    return [*read_results(folder), *read_label_results(folder)]


def _checked_name(name: str | None, source: Path) -> str:
    """The name that is given, or one made of the file's.

    Raises:
        ConfigError: it is none of a model, or one of densezoo's.
    """
    stem = re.sub(r"-[0-9a-f]{8}$", "", re.sub(r"(\.(pth|pt|bin|tar|safetensors|onnx|keras|h5|t7))+$", "", source.name))
    arch = re.sub(r"\W+", "_", stem.lower(), flags=re.ASCII).strip("_") or "model"
    name = name or (stem if NAME.fullmatch(stem) else f"{arch}.own")
    if not NAME.fullmatch(name):
        raise ConfigError(f"--name {name}: expected arch.tag in lower case, such as densenet121.acme_in1k")
    for spec in load_index(PUBLIC).values():
        if name in (spec.name, *spec.aliases):
            raise ConfigError(f"--name {name}: is a model of densezoo's; choose another tag, such as {spec.arch}.own")
    return name


def _check_replaceable(folder: Path, results: Sequence[Measurement]) -> None:
    """Refuse to replace a folder that isn't, byte for byte, what an earlier call wrote and this one will write.

    Files of it may be gone, and the results that will be written may lie there already.

    Raises:
        ConfigError: names the first file that would be lost, or what tells that it is no publication.
    """
    sums = folder / SUMS
    text = sums.read_text(encoding="utf-8", errors="replace") if sums.is_file() else ""
    listed = {name: sha256 for sha256, _, name in (line.partition("  ") for line in text.splitlines())}
    anew = {SUMS, *(result_path(Path(RESULTS), result).as_posix() for result in results)}
    present = sorted(folder.rglob("*")) if folder.is_dir() else []
    for path in present:
        name = path.relative_to(folder).as_posix()
        if name in anew or (path.is_dir() and not path.is_symlink()):
            continue
        if name not in listed:
            raise ConfigError(f"{path}: is no file of an earlier publication ({SUMS}), and would be lost; move it away")
        if not path.is_file() or file_sha256(path) != listed[name]:
            raise ConfigError(f"{path}: was changed since it was published ({SUMS}), and would be lost; move it away")
    for name in (METAFILE, INDEX) if present else ():
        if name not in listed:
            raise ConfigError(f"{sums}: doesn't list {name}, as an earlier publication's does; choose another folder")


def _write_weights(folder: Path, name: str, read: DescribedWeights) -> tuple[Path, bool]:
    """Write the file of weights, named by its hash; (the file, whether it is the given one byte for byte)."""
    path = folder / "weights.safetensors"
    if read.complete:
        shutil.copyfile(read.source, path)
    else:
        export(path, "densezoo", read.report.architecture, read.weights, read.facts)
    return path.rename(folder / f"{name}-{file_sha256(path)[:8]}.safetensors"), read.complete


def _write_results(folder: Path, published: Published) -> list[tuple[Measurement, str, str]]:
    """Store the results, those of the very bytes that are published under the model's name.

    Returns:
        (the result, its protocol as the entry names it, where it lies) of each.
    """
    stored = []
    for result in published.results:
        if result.weights_sha256 == published.sha256:
            result = dataclasses.replace(result, model=published.name, weights_known_by="published-hash")
        where = result_path(Path(RESULTS), result).as_posix()
        write_result(folder / RESULTS, result)
        stored.append((result, _named(folder, result.protocol, published.protocol), where))
    return stored


def _check_listed(hidden: Path, folder: Path, published: Published) -> None:
    """Read what was written as an index, and check it.

    Raises:
        ConfigError: what the caller gave can't stand in an index; names the file as it would be called.
    """
    try:
        check_index(hidden / INDEX)
        listed = load_index(hidden / INDEX)[published.name]
    except MetafileError as error:
        raise ConfigError(str(error).replace(str(hidden.resolve()), str(folder))) from None
    assert listed.protocol == published.protocol, "the protocol's file is the protocol"


def _named(folder: Path, protocol: str, own: str) -> str:
    """How the entry names a protocol: by its name, or by the file that is written for it."""
    digits = protocol.partition(MARK)[2]
    if not digits:
        return protocol
    file = PROTOCOL if protocol == own else f"protocol-{digits}.yml"
    write_own_protocol(folder / file, get_protocol(protocol))
    return file


def _write_documents(
    folder: Path,
    published: Published,
    read: DescribedWeights,
    stored: Sequence[tuple[Measurement, str, str]],
    license: str | None,
    code: str | None,
    url: str | None,
) -> None:
    """Write config, metafile, index and card."""
    arch, protocol = read.report.architecture, _named(folder, published.protocol, published.protocol)
    first = next(spec for spec in load_index(PUBLIC).values() if spec.architecture.family == arch.family)
    side, file = read.protocol.crop or read.protocol.image_size, published.weights
    spec = ModelSpec(
        name=published.name,
        publisher=published.name.partition(".")[2],
        config=CONFIG,
        architecture=arch,
        protocol=protocol,
        num_params=num_params(arch),
        flops={} if side is None else {"torchvision": flops(operations(arch, side), "torchvision")},
        metafiles=(METAFILE,),
        image_size=side,
        port_of=read.origin.name if read.origin and read.origin.name in load_index(PUBLIC) else None,
        paper=first.paper,
        code=code,
        license=license,
        multi_label=bool(read.facts.get("multi_label")),
    )
    weights = WeightSource(
        framework="torch",
        format="safetensors",
        url=None if url is None else f"{url.rstrip('/')}/{file.name}",
        path=file.name if url is None else None,
        file_size=file.stat().st_size,
        sha256=published.sha256,
        keymap=load_checkpoint(file)[1].source,
        license=license,
    )
    recipe = read.report.stated.get("recipe")
    known = recipe if isinstance(recipe, dict) else None
    texts = {
        CONFIG: publication.config_text(spec.name, arch, read.dataset, protocol, known),
        METAFILE: publication.metafile_text(Publication(spec, weights, read.dataset, known, stored)),
        INDEX: f"# This folder is an index of one model: --index {INDEX}, or DENSEZOO_INDEX.\nImport:\n- {METAFILE}\n",
        CARD: shared_card(_shared(spec, read, published, stored)),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def _shared(
    spec: ModelSpec, read: DescribedWeights, published: Published, stored: Sequence[tuple[Measurement, str, str]]
) -> Shared:
    """What the card says."""
    names, recipe = read.facts.get("class_names"), read.facts.get("recipe")
    return Shared(
        name=spec.name,
        address=published.weights.name,
        file=published.weights.name,
        size=published.weights.stat().st_size,
        sha256=published.sha256,
        architecture=spec.architecture,
        protocol=published.protocol,
        licence=spec.license,
        results=[(result, where) for result, _, where in stored],
        classes=[str(name) for name in names] if isinstance(names, list) else (),
        recipe=recipe if isinstance(recipe, dict) else {},
        dataset=read.dataset,
        multi_label=bool(read.facts.get("multi_label")),
    )
