"""Pages on weights, ``docs/weights/<arch>.md``: all that is known of the published weights of an architecture."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from densezoo.results.cells import Notes, base_dataset, link, publisher
from densezoo.results.markdown import markdown
from densezoo.results.pages import DATASETS, FOLDER, MADE, About
from densezoo.results.tables import by_architecture, corruption_table, measured_table, published_table, top1_by_dataset
from densezoo.types import EvalResult, FileHash, ModelSpec, WeightSource

WEIGHTS = "docs/weights"


def weight_pages(specs: Iterable[ModelSpec], results: Sequence[EvalResult]) -> dict[str, str]:
    """{architecture's name: its page}: names, sizes, files, accuracies and training of all its models."""
    return {arch: _page_of(arch, own, results) for arch, own in by_architecture(specs).items()}


def _page_of(arch: str, specs: Sequence[ModelSpec], results: Sequence[EvalResult]) -> str:
    card = link(f"docs/models/{arch}.md", WEIGHTS)
    return (
        "\n".join(
            [
                f"# Weights of {arch}\n\n{MADE}\n\nHow the network is built and used: its [card]({card}).\n",
                f"{_facts(specs)}\n",
                f"## Models\n\n{_models(specs)}",
                f"## Files\n\n{_files(specs)}",
                _accuracy(specs, results) + _recipes(specs),
            ]
        ).rstrip()
        + "\n"
    )


def _facts(specs: Sequence[ModelSpec]) -> str:
    """Parameters and FLOPs, an item for each number of parameters; the first one's models aren't listed."""
    sizes: dict[int, list[ModelSpec]] = {}
    for spec in specs:
        sizes.setdefault(spec.num_params, []).append(spec)
    lines: list[str] = []
    for number, own in sizes.items():
        counts = dict.fromkeys(
            f"{count:,} at {spec.image_size} px as {name} counts them"
            for spec in own
            for name, count in spec.flops.items()
        )
        words = f"{number:,} parameters" + (f"; FLOPs: {', '.join(counts)}" if counts else "")
        lines.append(f"- {words}" + (f". {', '.join(spec.name for spec in own)}" if lines else ""))
    return "\n".join(lines)


def _models(specs: Sequence[ModelSpec]) -> str:
    return markdown(
        [
            {
                "model": spec.name,
                "publisher": publisher(spec),
                "weights of": spec.port_of or "",
                "licence": spec.license or "",
                "other names": ", ".join(spec.aliases),
            }
            for spec in specs
        ]
    )


def _accuracy(specs: Sequence[ModelSpec], results: Sequence[EvalResult]) -> str:
    """The section of published and measured accuracies; "" where there are none.

    The dataset with the most published figures has a table of its own, the others one together, of top-1 alone.
    """
    count: dict[str, int] = {}
    for spec in specs:
        for reported in spec.reported:
            name = base_dataset(reported.dataset)
            count[name] = count.get(name, 0) + 1
    order = sorted(count, key=lambda name: -count[name])
    sections, notes = [], Notes()
    if order:
        sections.append(f"Published on {_page(order[0])}, percent; a figure belongs to its protocol:\n")
        sections.append(published_table(order[0], specs, WEIGHTS, notes))
    if order[1:]:
        sections.append(f"Published top-1 on {', '.join(map(_page, order[1:]))}:\n")
        sections.append(top1_by_dataset(order[1:], specs, notes))
    if listed := notes.text():
        sections.append(listed.lstrip())
    if measured := measured_table(specs, results, folder=WEIGHTS):
        sections.append(f"Measured by densezoo:\n\n{measured}")
    if corrupted := corruption_table(specs, results):
        sections.append(f"ImageNet-C:\n\n{corrupted}")
    return "\n".join(["## Accuracy\n", *sections, ""]) if sections else ""


def _page(dataset: str) -> str:
    """A dataset's title, linked to its page."""
    return f"[{DATASETS.get(dataset, About(dataset)).title}]({link(f'{FOLDER}/{dataset}.md', WEIGHTS)})"


def _files(specs: Sequence[ModelSpec]) -> str:
    notes = Notes()
    rows = [_file(spec, source, notes) for spec in specs for source in spec.weights]
    return markdown(rows) + notes.text() if rows else "No weights are published.\n"


def _file(spec: ModelSpec, source: WeightSource, notes: Notes) -> dict[str, str]:
    url = source.url or link(str(source.path), WEIGHTS)
    remarks = [
        f"withdrawn: {source.withdrawn}" if source.withdrawn else None,
        f"densezoo can't read it: {source.not_loadable}" if source.not_loadable else None,
        f"from {source.converted_from}" if source.converted_from else None,
        source.note,
    ]
    return {
        "model": spec.name,
        "file": f"[{file_name(url)}]({url})",
        "format": f"{source.framework} {source.format}",
        "bytes": "" if source.file_size is None else f"{source.file_size:,}",
        "hash": "; ".join(map(_hash, source.stated_hashes)),
        "checked against": source.checks,
        "licence": source.license or "",
        "note": notes.number("; ".join(filter(None, remarks)) or None),
    }


def _hash(stated: FileHash) -> str:
    """Its kind and first digits, and whose it is where not the file's."""
    digits = f"{stated.algorithm} {stated.digits[:8]}" + ("..." if len(stated.digits) > 8 else "")
    return digits if stated.of is None else f"{digits} of {stated.of}"


def file_name(url: str) -> str:
    """What a link to a file is called.

    Args:
        url: of the file.
    """
    return "Google Drive" if "drive.google.com" in url else url.rstrip("/").rpartition("/")[2].partition("?")[0]


def _recipes(specs: Sequence[ModelSpec]) -> str:
    """How the models were trained; models with the same words share them."""
    shared: dict[str, list[str]] = {}
    for spec in specs:
        if spec.recipe:
            shared.setdefault(_fields(spec.recipe), []).append(spec.name)
    lines = [f"- {', '.join(names)}: {words}" for words, names in shared.items()]
    return "\n".join(["## How they were trained\n", *lines, "\n"]) if lines else ""


def _fields(recipe: Mapping[str, object]) -> str:
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in recipe.items()}
    return "; ".join(f"{name} {value}" if name != "training note" else str(value) for name, value in values.items())
