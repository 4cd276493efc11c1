"""The pages of the site, filled in from the index and what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from jinja2.utils import htmlsafe_json_dumps

from densezoo.families import family_of
from densezoo.index.flops import flops_under
from densezoo.protocols import PROTOCOLS
from densezoo.results.agreement import RULE
from densezoo.results.by_protocol import Trainings, measured_under_several, ported_trainings, ranked_protocols
from densezoo.results.cards import image_size
from densezoo.results.cells import percent
from densezoo.results.description import architecture, checks, steps, usage
from densezoo.results.diagrams import diagram
from densezoo.results.protocol_tables import published_pairs
from densezoo.results.provenance import measured_on
from densezoo.results.site import photographs
from densezoo.results.site.columns import (
    Row,
    accuracy_columns,
    availability,
    choices,
    family_title,
    giga_flops,
    headline_text,
    model_columns,
)
from densezoo.results.site.environment import environment
from densezoo.results.site.libraries import LIBRARIES, static_files
from densezoo.results.site.lineage import lineage
from densezoo.results.site.payload import steps_of, zoo_values
from densezoo.results.site.speed import speeds_of
from densezoo.results.site.zoo import Zoo
from densezoo.results.tables import by_architecture, counts, origin
from densezoo.results.weights import MARKS, mark
from densezoo.types import Accuracy, ModelSpec

_SHARED = "imagenet1k"  # the dataset on which one training has figures under the most protocols

#: {file: (its name in the navigation, its template)}.
PAGES: Mapping[str, str] = {
    "index.html": "Models",
    "accuracies.html": "Accuracies",
    "plot.html": "Plot",
    "why.html": "Why they differ",
    "compare.html": "Compare",
}


def site_files(zoo: Zoo) -> dict[str, bytes]:
    """{path in the site: content} of every file of it.

    Args:
        zoo: what is shown.
    """
    trainings = ported_trainings(_SHARED, zoo.specs)
    shots, pictures = photographs.shots(_photographed(zoo))
    contexts: dict[str, dict[str, object]] = {
        "index.html": _models(zoo),
        "accuracies.html": _accuracies(zoo),
        "plot.html": {"libraries": list(LIBRARIES)},
        "why.html": {
            "values": {
                "shots": [asdict(shot) for shot in shots],
                "steps": {shot.protocol: steps_of(shot.protocol) for shot in shots},
                "figures": _figures(trainings),
                "first": _largest(trainings),
            },
            "pairs": published_pairs(zoo.specs),
            "photograph": photographs,
        },
        "compare.html": {},
    }
    shared = {"pages": PAGES, "version": zoo.version}
    texts = {name: _filled(name, name, "", **shared, **context) for name, context in contexts.items()}
    for spec in zoo.specs.values():
        path = model_path(spec)
        texts[path] = _filled("model.html", path, "../", **shared, **_model(zoo, spec))
    texts["assets/zoo.js"] = f"const zoo = {htmlsafe_json_dumps(zoo_values(zoo), separators=(',', ':'))};\n"
    for arch, own in by_architecture(zoo.specs.values()).items():
        texts[f"models/{arch}.svg"] = diagram(arch, own[0].architecture, image_size(own[0]))
    return {path: text.encode() for path, text in texts.items()} | pictures | static_files()


def model_path(spec: ModelSpec) -> str:
    """A model's page in the site.

    Args:
        spec: the model, whose name has letters, digits, underscores and a dot alone.
    """
    return f"models/{spec.name}.html"


def _filled(template: str, path: str, root: str, **context: object) -> str:
    """A page.

    Args:
        template: its template.
        path: of the page in the site.
        root: of the site, from the page.
        context: what the template shows.
    """
    return environment().get_template(template).render(path=path, root=root, **context)


def _models(zoo: Zoo) -> dict[str, object]:
    rows = [
        Row(
            zoo.headlines[spec.name],
            " ".join([*spec.aliases, spec.publisher, family_title(spec)]).lower(),
            {"family": family_title(spec)},
        )
        for spec in zoo.specs.values()
    ]
    columns = model_columns(zoo)
    return {
        "rows": rows,
        "columns": columns,
        "filters": choices(rows, columns, ("dataset", "family", "protocol", "publisher", "weights")),
        "sentence": counts(zoo.specs.values(), zoo.results),
        "marks": _marks([row.accuracy for row in rows]),
    }


def _accuracies(zoo: Zoo) -> dict[str, object]:
    every = [accuracy for own in zoo.accuracies.values() for accuracy in own if not zoo.is_older(accuracy)]
    every.sort(key=lambda accuracy: accuracy.measured is None)  # what can be compared first
    rows = [Row(accuracy, " ".join(accuracy.spec.aliases).lower(), {"kind": _kind(accuracy)}) for accuracy in every]
    columns = accuracy_columns(zoo)
    return {
        "rows": rows,
        "columns": columns,
        "filters": choices(rows, columns, ("dataset", "protocol", "kind")),
        "machines": measured_on([accuracy.measured for accuracy in every if accuracy.measured]),
        "rule": RULE,
        "marks": _marks(every),
        "published": [_published_matrix(tag, own) for tag, own in ported_trainings(_SHARED, zoo.specs).items()],
        "measured": [matrix for dataset in zoo.datasets if (matrix := _measured_matrix(zoo, dataset))],
        "protocols": {name: steps(protocol) for name, protocol in PROTOCOLS.items()},
    }


def _kind(accuracy: Accuracy) -> str:
    """What there is of an accuracy, as the filter calls it."""
    if accuracy.measured is None:
        return "published alone"
    return "measured alone" if accuracy.reported is None else "both"


def _published_matrix(tag: str, trainings: Trainings) -> dict[str, object]:
    """The published top-1 of trainings of one tag: a row a protocol, a column a training."""
    return {"tag": tag, "protocols": ranked_protocols(trainings), "trainings": trainings}


def _measured_matrix(zoo: Zoo, dataset: str) -> dict[str, object] | None:
    """Measured top-1 of the same weights: a row a protocol, a column a set of weights; None where there are none."""
    rows = measured_under_several(dataset, zoo.specs.values(), zoo.results)
    protocols = [name for name in PROTOCOLS if any(name in own for own in rows.values())]
    cells = {name: {p: f"{r.top1:.2f}{mark(r)}" for p, r in own.items()} for name, own in rows.items()}
    return {"dataset": zoo.datasets[dataset], "protocols": protocols, "weights": cells} if rows else None


def _marks(rows: Sequence[Accuracy]) -> list[str]:
    """What the marks of measured figures mean, those that occur."""
    used = {row.measured.weights_known_by for row in rows if row.measured}
    return [f"{sign} {meaning}" for known_by, (sign, meaning) in MARKS.items() if known_by in used]


def _photographed(zoo: Zoo) -> list[str]:
    """The protocols that resize and that one training has published figures under; without any, those of models."""
    trainings = [t for own in ported_trainings(_SHARED, zoo.specs).values() for t in own.values()]
    most = max(trainings, key=len, default=dict.fromkeys(spec.protocol for spec in zoo.specs.values()))
    return [name for name in PROTOCOLS if name in most and PROTOCOLS[name].resize is not None]


def _figures(by_tag: Mapping[str, Trainings]) -> dict[str, dict[str, str]]:
    """{training: {protocol: its published top-1}}."""
    return {
        f"{arch}.{tag}": {protocol: percent(result.top1) for protocol, result in own.items()}
        for tag, trainings in by_tag.items()
        for arch, own in trainings.items()
    }


def _largest(by_tag: Mapping[str, Trainings]) -> dict[str, str] | None:
    """The training whose published top-1 differs the most between protocols, and both ends; None: there is none."""
    ends = []
    for name, own in _figures(by_tag).items():
        low, high = (end(own, key=lambda protocol: float(own[protocol])) for end in (min, max))
        ends.append({"name": name, "left": low, "low": own[low], "right": high, "high": own[high]})
    return max(ends, key=lambda each: float(each["high"]) - float(each["low"]), default=None)


def _model(zoo: Zoo, spec: ModelSpec) -> dict[str, object]:
    own = zoo.accuracies[spec.name]
    headline, classes = zoo.headlines[spec.name], zoo.classes(spec)
    protocol = PROTOCOLS.get(spec.protocol)
    quotation, *_ = [*family_of(spec.architecture).summary(spec.architecture).splitlines(), ""]
    return {
        "spec": spec,
        "family": family_title(spec),
        "headline": headline,
        "headline_text": headline_text(headline),
        "availability": availability(spec),
        "current": [row for row in own if not zoo.is_older(row)],
        "older": [row for row in own if zoo.is_older(row)],
        "verdict": lambda result: zoo.agreement(result).briefly(),
        "mark": mark,
        "marks": _marks(own),
        "giga_flops": giga_flops(headline),
        "side": flops_under(spec, headline.protocol)[0],
        "steps": steps(protocol) if protocol else "",
        "quotation": quotation.removeprefix("> "),
        "architecture": architecture(spec, classes).splitlines(),
        "diagram": f"{spec.arch}.svg",
        "usage": usage(spec, classes),
        "checks": checks,
        "lineage": lineage(spec, zoo.specs),
        "origin": origin(spec, zoo.specs),
        "same_network": sum(other.arch == spec.arch for other in zoo.specs.values()),
        "speeds": speeds_of(spec, None, zoo.speeds),
        "headlines": zoo.headlines,
        "titles": zoo.datasets,
        "named_by": spec.named_by,
    }
