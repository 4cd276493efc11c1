"""Generates documents from the index and the stored results, and checks the index against its networks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from densezoo.data.datasets import DATASETS
from densezoo.data.views import AUGMENTATIONS
from densezoo.errors import MetafileError, ResultError, suggestion
from densezoo.families import families
from densezoo.families.claims import contradictions
from densezoo.files import write_atomically
from densezoo.index.load import load_index
from densezoo.paths import INDEX, RESULTS, ROOT, private_index, relative_to_root, results_folder
from densezoo.results import speed_pages, speed_plots
from densezoo.results.cards import model_cards
from densezoo.results.documents import fill_tables
from densezoo.results.openmim import openmim_index
from densezoo.results.pages import result_pages
from densezoo.results.pictures import PICTURES, drawn, facts_of, is_current
from densezoo.results.store import read_results
from densezoo.results.weight_pages import weight_pages
from densezoo.types import ModelSpec

README = ROOT / "README.md"
DOCS = ROOT / "docs"
CARDS = DOCS / "models"  # a page an architecture and its picture, generated whole
WEIGHTS = DOCS / "weights"  # a page an architecture, generated whole
PAGES = DOCS / "results"  # a page a dataset, generated whole
OPENMIM = ROOT / "model-index.yml"  # the index for `mim search` and mmpretrain's ModelHub: one entry a model


def make_tables(results: str | Path | None = None, *, check: bool = False) -> list[Path]:
    """Regenerate result pages, model cards, pictures and the documents' tables from the index and the stored results.

    Of a private index (`densezoo.paths.private_index`) these are pages of its own, in ``docs/`` beside it.

    Args:
        results: folder of stored results; None: the repository's, or the one beside the private index.
        check: write nothing; raise if a document is stale.

    Returns:
        The documents that changed.

    Raises:
        ResultError: with ``check``, a document is stale; a stored result or a marker is broken; there is no document,
            as in an installed wheel.
    """
    if (private := private_index()) is not None:
        return _private_tables(private, results_folder() if results is None else Path(results), check)
    if not README.is_file():
        raise ResultError(
            f"{README}: there is no such document; the tables are in README.md and docs/ of densezoo's repository, "
            "which an installed package doesn't have: run densezoo make_tables in a clone"
        )
    stored = [result for result in read_results(results or RESULTS) if result.own_protocol is None]
    specs = load_index(INDEX)
    documents = {CARDS / name: text for name, text in model_cards(specs.values()).items()}
    documents |= {WEIGHTS / f"{arch}.md": text for arch, text in weight_pages(specs.values(), stored).items()}
    documents |= {PAGES / f"{name}.md": text for name, text in result_pages(specs, stored).items()}
    documents[OPENMIM] = openmim_index(specs.values())
    orphans = {path for folder in (CARDS, WEIGHTS, PAGES) for path in folder.glob("*.*")} - set(documents)
    for path in (README, *sorted(DOCS.glob("*.md"))):
        documents[path] = fill_tables(path.read_text(encoding="utf-8"), relative_to_root(path), specs, stored)
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    facts = {ROOT / name: facts_of(picture, specs) for name, picture in PICTURES.items()}
    plot = {ROOT / speed_plots.PATH: speed_plots.bars(speed_pages.stored())}
    undrawn = [path for path, shown in {**facts, **plot}.items() if not is_current(path, shown)]
    changed = sorted([*stale, *orphans, *undrawn])
    if changed and check:
        names = ", ".join(relative_to_root(path) for path in changed)
        raise ResultError(f"{names}: not what index and results say; run densezoo make_tables")
    _write(documents, stale)
    for path in undrawn:
        path.parent.mkdir(parents=True, exist_ok=True)
        name = relative_to_root(path)
        image = speed_plots.draw(plot[path]) if path in plot else drawn(PICTURES[name], facts[path])
        write_atomically(path, image)
    for path in orphans:
        path.unlink()
    return changed


def _private_tables(index: Path, results: Path, check: bool) -> list[Path]:
    """Write the cards of a private index's models and the tables of results of them; return what changed.

    Raises:
        ResultError: a stored result can't be read; with ``check``, a document is another one than they make.
    """
    stored, specs, docs = read_results(results), load_index(index), index.parent / "docs"
    documents = {docs / "models" / name: text for name, text in model_cards(specs.values()).items()}
    documents |= {docs / "weights" / f"{arch}.md": text for arch, text in weight_pages(specs.values(), stored).items()}
    documents |= {docs / "results" / f"{name}.md": text for name, text in result_pages(specs, stored).items()}
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    if stale and check:
        raise ResultError(f"{', '.join(map(str, stale))}: not what index and results say; run densezoo make_tables")
    _write(documents, stale)
    return stale


def _write(documents: Mapping[Path, str], stale: Iterable[Path]) -> None:
    """Write the stale ones of some documents."""
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, documents[path])


def check_index(path: str | Path = INDEX) -> int:
    """Check the format of every entry of the index, and its numbers against the network.

    Parameters, and the FLOPs of every convention that has a definition, are counted anew and must agree exactly.
    Every name (of a key table, a dataset, a test-time augmentation) exists; a dataset that densezoo doesn't know, and a
    file without a key table, say why.

    Args:
        path: the index, a list of metafiles.

    Returns:
        How many models were checked.

    Raises:
        MetafileError: something is wrong; names file, model and field of each error.
    """
    specs = load_index(path)
    problems = []
    for spec in specs.values():
        error_prefix = f"{', '.join(spec.metafiles)}: model {spec.name}"
        faults = [*contradictions(spec), *_wrong_weight_files(spec), *_wrong_results(spec)]
        problems += [f"{error_prefix}: {fault}" for fault in faults]
    if problems:
        raise MetafileError("\n".join(problems))
    return len(specs)


def _wrong_weight_files(spec: ModelSpec) -> list[str]:
    """What is wrong with the names in a model's weight files."""
    keymaps = {keymap.name for family in families() for keymap in family.keymaps}
    problems = []
    for source in spec.weights:
        if source.keymap is None and source.not_loadable is None and source.path is None:
            problems.append(f"Weight Files: {source.url}: states neither Keymap nor why it is Not Loadable")
        short = [stated.digits for stated in source.stated_hashes if len(stated.digits) < 8]
        problems += [f"Weight Files: {source.url}: the hash {digits} has less than 8 digits" for digits in short]
        if source.keymap is not None and source.keymap not in keymaps:
            known = suggestion(source.keymap, keymaps)
            problems.append(f"Weight Files: Keymap: there is no {source.keymap!r}{known}")
    return problems


def _wrong_results(spec: ModelSpec) -> list[str]:
    """What is wrong with the names in a model's published results."""
    problems = []
    for result in spec.reported:
        dataset, classes = DATASETS.get(result.dataset.rstrip("+")), spec.architecture.num_classes
        if dataset is not None and dataset.num_classes not in (None, classes):
            problems.append(f"Results: {dataset.name} has {dataset.num_classes} classes; {spec.config} has {classes}")
        if dataset is None and result.not_evaluable is None:
            known = suggestion(result.dataset, DATASETS)
            problems.append(f"Results: Dataset: there is no {result.dataset!r} that isn't Not Evaluable{known}")
        if result.tta is not None and result.tta not in AUGMENTATIONS:
            known = suggestion(result.tta, AUGMENTATIONS)
            problems.append(f"Results: Test Time Augmentation: there is no {result.tta!r}{known}")
    return problems
