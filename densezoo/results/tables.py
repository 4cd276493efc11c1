"""Tables of published and measured accuracies, made from the index and the stored results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from densezoo.backends.base import BACKENDS
from densezoo.families import families
from densezoo.index.listing import shown
from densezoo.results.accuracies import accuracies
from densezoo.results.cells import (
    Notes,
    base_dataset,
    file_links,
    giga_flops,
    model_link,
    percent,
    protocol_label,
    remarks,
    with_interval,
)
from densezoo.results.corruptions import corruption_rows
from densezoo.results.markdown import markdown
from densezoo.results.provenance import measured_on
from densezoo.results.weights import has_weights_of, legend, mark
from densezoo.types import Accuracy, EvalResult, ModelSpec, ReportedResult


def dataset_rows(dataset: str, specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> list[Accuracy]:
    """Every accuracy on one dataset, model by model; empty where nobody published or measured anything."""
    stored = list(results)
    return [found for spec in specs for found in accuracies(spec, stored) if found.dataset == dataset]


def published_rows(dataset: str, specs: Iterable[ModelSpec]) -> tuple[list[Accuracy], list[Accuracy]]:
    """The published accuracies on one dataset, the highest first: the current ones, and older ones.

    Of several figures that a publisher states for the same weights under one protocol, the first in the index is the
    current one.
    """
    current: dict[tuple[str, ...], Accuracy] = {}
    older = []
    for row in dataset_rows(dataset, specs, []):
        assert row.reported is not None  # nothing was measured
        key = (row.spec.name, row.label, row.reported.published_by, row.reported.dataset)
        if current.setdefault(key, row) is not row:
            older.append(row)
    return _highest_first(current.values()), _highest_first(older)


def _highest_first(rows: Iterable[Accuracy]) -> list[Accuracy]:
    return sorted(rows, key=lambda row: (-_top1(row.reported), row.spec.name, row.label))


def published_table(
    dataset: str, specs: Iterable[ModelSpec], folder: str = "", shared_notes: Notes | None = None
) -> str:
    """Every current published accuracy on one dataset, the highest first; "" where there is none.

    Args:
        folder: of the document, relative to the repository, for links.
        shared_notes: of a page that lists sizes and files by itself; None: of this table alone, below it.
    """
    notes = shared_notes or Notes()
    cells = [
        {
            **_published_cells(row.spec, row.reported, folder, whole=shared_notes is None),
            "files": file_links(row.spec, folder) if shared_notes is None else "",
            "stated in": "" if shared_notes is None else row.reported.where,
            "note": notes.number(remarks(row.reported)),
        }
        for row in published_rows(dataset, specs)[0]
        if row.reported is not None
    ]
    return markdown(cells) + (notes.text() if shared_notes is None else "") if cells else ""


def older_table(dataset: str, specs: Iterable[ModelSpec]) -> str:
    """The figures that newer ones of the same publisher stand beside, the highest first; "" where there is none."""
    cells = [
        {
            **_published_cells(row.spec, row.reported, "", whole=False),
            "FLOPs (G)": "",
            "note": remarks(row.reported) or "",
        }
        for row in published_rows(dataset, specs)[1]
        if row.reported is not None
    ]
    return markdown(cells)


def top1_by_dataset(datasets: Sequence[str], specs: Iterable[ModelSpec], notes: Notes) -> str:
    """Published top-1: a row a model, protocol and note, a column a dataset; "" where there is none.

    Of several figures for one cell the second begins another row.
    """
    rows: list[dict[str, str]] = []
    for spec in specs:
        for reported in spec.reported:
            name = base_dataset(reported.dataset)
            if name in datasets and reported.top1 is not None:
                head = {
                    "model": spec.name,
                    "protocol": protocol_label(reported),
                    "note": notes.number(remarks(reported)),
                }
                row = next((row for row in rows if head.items() <= row.items() and name not in row), None)
                if row is None:
                    rows.append(row := head)
                row[name] = shown(reported.top1)
    columns = ("model", "protocol", *datasets, "note")
    return markdown([{column: row.get(column, "") for column in columns} for row in rows])


def best_table(dataset: str, specs: Iterable[ModelSpec], folder: str = "", number: int = 10) -> str:
    """The highest published top-1 of every architecture on one dataset, the highest first.

    Args:
        folder: of the document, relative to the repository.
        number: rows at most.
    """
    best: dict[str, tuple[ModelSpec, ReportedResult]] = {}
    for row in published_rows(dataset, specs)[0]:
        if row.reported is not None:
            best.setdefault(row.spec.arch, (row.spec, row.reported))
    highest = list(best.values())[:number]
    return markdown([{**_published_cells(spec, reported, folder), "published by": ""} for spec, reported in highest])


def measured_table(
    specs: Iterable[ModelSpec],
    results: Sequence[EvalResult],
    dataset: str | None = None,
    folder: str = "",
    number: int | None = None,
) -> str:
    """What was measured on one dataset or on all, the highest first, beside what is published of it.

    Args:
        specs: of the index.
        results: of `densezoo.results.store`.
        dataset: its name; None: all, each with rows of its own.
        folder: of the page, from which links begin.
        number: rows of each dataset; None: all.

    Returns:
        "" where nothing was measured.
    """
    names = sorted({r.dataset for r in results if dataset in (None, r.dataset)})
    specs, rows = list(specs), []
    for name in names:
        measured = [row for row in dataset_rows(name, specs, results) if row.measured is not None]
        measured.sort(key=lambda row: (-row.measured.top1 if row.measured else 0.0, row.label))
        rows += [(name, row) for row in measured[:number]]
    cells = [
        {
            "dataset": name if dataset is None else "",
            "model": model_link(row.spec, folder),
            **_measured_cells(row.measured),
            "published top-1": percent(row.reported.top1) if row.reported else "",
        }
        for name, row in rows
        if row.measured is not None
    ]
    shown = [row.measured for _, row in rows if row.measured is not None]
    return f"{markdown(cells)}{legend(shown)}\nMeasured on: {measured_on(shown)}.\n" if cells else ""


def counts(specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """A sentence: what the index has, and how much of it was measured."""
    specs = list(specs)
    figures = [reported for spec in specs for reported in spec.reported]
    measured = {r.model for r in results for spec in specs if r.model == spec.name and has_weights_of(r, spec)}
    files, protocols = sum(len(spec.weights) for spec in specs), {r.protocol for r in figures} - {None}
    return (
        f"The index has {len({spec.arch for spec in specs})} architectures, {len(specs)} sets of weights of them with "
        f"{files} published files, and {len(figures)} published accuracies under {len(protocols)} "
        f"protocols. {len(measured)} of these sets were measured by us.\n"
    )


def key_tables() -> str:
    """The names of every family's key tables: an item a family."""
    return "".join(
        f"- {family.title}: {', '.join(f'`{keymap.name}`' for keymap in family.keymaps)}\n" for family in families()
    )


def backends_table() -> str:
    """What can compute logits, in which precisions and how far from eager's they may be."""
    rows = [
        {
            "backend": f"`{name}`",
            "computes by": entry.words,
            "precisions": ", ".join(
                f"{each} ({bound:g})" if bound else each for each, bound in entry.precisions.items()
            ),
            "extra": f"`{entry.extra}`" if entry.extra else "",
        }
        for name, entry in BACKENDS.items()
    ]
    return markdown(rows)


def corruption_table(specs: Iterable[ModelSpec], results: Iterable[EvalResult]) -> str:
    """ImageNet-C: a row for each model and protocol; "" where nothing was measured."""
    by_model: dict[str, list[EvalResult]] = {}
    for result in results:
        by_model.setdefault(result.model, []).append(result)
    own = [r for spec in specs for r in by_model.get(spec.name, ()) if _is_of(r, spec, r.model)]
    rows = corruption_rows(own)
    return markdown(rows) + f"\n{_CORRUPTED_LEGEND}\n" + legend(own) if rows else ""


_CORRUPTED_LEGEND = (
    "Top-1 errors, percent, each the mean over five severities; empty where not all five were measured. mCE, the mean "
    "corruption error: the mean over 15 corruptions of the error in percent of AlexNet's (https://arxiv.org/abs/1903.12261)."
)


def by_architecture(specs: Iterable[ModelSpec]) -> dict[str, list[ModelSpec]]:
    """{architecture's name: its models}."""
    by_arch: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        by_arch.setdefault(spec.arch, []).append(spec)
    return by_arch


def origin(spec: ModelSpec, specs: Mapping[str, ModelSpec]) -> str:
    """The name of the training that a port's weights come from."""
    while spec.port_of is not None:
        spec = specs[spec.port_of]
    return spec.name


def _published_cells(spec: ModelSpec, reported: ReportedResult, folder: str, *, whole: bool = True) -> dict[str, str]:
    """{column: text} of one published accuracy.

    Args:
        whole: with the network's size.
    """
    return {
        "top-1": percent(reported.top1),
        "top-5": percent(reported.top5),
        "model": model_link(spec, folder) if whole else spec.name,
        "protocol": protocol_label(reported),
        "published by": reported.published_by,
        "trained on": reported.dataset if reported.dataset.endswith("+") else "",
        "params (M)": f"{spec.num_params / 1e6:.2f}" if whole else "",
        "FLOPs (G)": giga_flops(spec, reported.protocol or ""),
    }


def _measured_cells(result: EvalResult) -> dict[str, str]:
    return {
        "protocol": str(result.conditions),
        "top-1 (95 % interval)": with_interval(result) + mark(result),
        "top-5": f"{result.top5:.2f}",
        "images": f"{result.num_samples:,}",
    }


def _is_of(result: EvalResult, spec: ModelSpec, model: str) -> bool:
    """Whether a result belongs to a model by name and by the weights that were measured."""
    return model == spec.name and has_weights_of(result, spec)


def _top1(reported: ReportedResult | None) -> float:
    """To sort by; lowest of all without a figure."""
    return -1.0 if reported is None or reported.top1 is None else reported.top1
