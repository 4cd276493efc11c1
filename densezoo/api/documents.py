"""Generates documents from the index and the stored results, and checks the index against the networks."""

from __future__ import annotations

from pathlib import Path

from densezoo.errors import MetafileError, ResultError, suggestion
from densezoo.families import families
from densezoo.families.claims import contradictions
from densezoo.files import write_atomically
from densezoo.index.load import load_index
from densezoo.paths import RESULTS, ROOT, relative_to_root
from densezoo.results.cards import model_cards
from densezoo.results.store import read_results
from densezoo.results.tables import fill_tables

GENERATED = (ROOT / "README.md",)  # documents with tables in them
CARDS = ROOT / "docs/models"  # a page an architecture, generated whole


def make_tables(results: str | Path | None = None, *, check: bool = False) -> list[Path]:
    """Regenerate the README's tables and the model cards from the index and the stored results.

    Args:
        results: folder of stored results; None: the repository's.
        check: write nothing; raise if a document is stale.

    Returns:
        The documents that changed.

    Raises:
        ResultError: with ``check``, a document is stale; a stored result or a marker is broken; there is no document,
            as in an installed wheel.
    """
    for path in GENERATED:
        if not path.is_file():
            raise ResultError(
                f"{path}: there is no such document; the tables are in README.md and docs/models/ of densezoo's "
                "repository, which an installed package doesn't have: run tools/make_tables.py in a clone"
            )
    stored, specs = read_results(results or RESULTS), load_index()
    documents = {CARDS / f"{arch}.md": text for arch, text in model_cards(specs.values(), stored).items()}
    for path in GENERATED:
        documents[path] = fill_tables(path.read_text(encoding="utf-8"), str(path), specs, stored)
    orphans = set(CARDS.glob("*.md")) - set(documents)
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    changed = sorted([*stale, *orphans])
    if changed and check:
        names = ", ".join(relative_to_root(path) for path in changed)
        raise ResultError(f"{names}: not what index and results say; run tools/make_tables.py")
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, documents[path])
    for path in orphans:
        path.unlink()
    return changed


def check_index(path: str | Path = ROOT / "model-index.yml") -> int:
    """Check the format of every entry of the index, and its numbers against the network.

    Every network is rebuilt: parameters and the FLOPs of every convention that has a definition must agree exactly.

    Args:
        path: the index, model-index.yml.

    Returns:
        How many models were checked.

    Raises:
        MetafileError: something is wrong; names file, model and field of each error.
    """
    keymaps = {keymap.name for family in families() for keymap in family.keymaps}
    specs = load_index(path)
    problems = []
    for spec in specs.values():
        error_prefix = f"{', '.join(spec.metafiles)}: model {spec.name}"
        problems += [f"{error_prefix}: {problem}" for problem in contradictions(spec)]
        for name in {source.keymap for source in spec.weights} - {None, *keymaps}:
            problems.append(
                f"{error_prefix}: Weight Files: Keymap: there is no {name!r}{suggestion(str(name), keymaps)}"
            )
    if problems:
        raise MetafileError("\n".join(problems))
    return len(specs)
