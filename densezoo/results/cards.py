"""Model cards: a page for each architecture, ``docs/models/<arch>.md``, made from the index and the stored results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import Template

from densezoo.families import family_of
from densezoo.protocols import PROTOCOLS
from densezoo.results.tables import corruption_table, dataset_rows, markdown
from densezoo.results.weights import legend
from densezoo.types import EvalResult, FileHash, ModelSpec, Protocol, WeightSource

_CARD = Template("""\
# $arch

<!-- Made by tools/make_tables.py from the index and the stored results; what is edited here is lost. -->

$summary

$facts
## Results

Published figures are the publishers', measured ones are ours; an empty cell is a measurement that nobody here has made.
A protocol is how an image becomes the network's input: the same weights differ by several tenths between them.

$results
$notes## Weights

$weights
## Use

```python
import torch
import densezoo

spec = densezoo.get_spec("$name")
model = densezoo.create_model(spec.name, pretrained=$pretrained).eval()
```

Preprocess under the protocol that the weights are used with ($protocol), and predict the five likeliest classes:

```python
image = densezoo.get_protocol(spec.protocol)("image.jpg")  # float32 (C, H, W)
with torch.inference_mode():
    probabilities = model(image[None]).softmax(1)[0]
for probability, label in zip(*probabilities.topk(5)):
    print(f"{probability:.1%} class {label}")
```

Feature maps of every stage, $channels channels at 1/$reductions of the image's side:

```python
backbone = densezoo.create_model(spec.name, pretrained=$pretrained, features_only=True).eval()
maps = backbone(image[None])
```

Fine-tune on other classes, with a fresh classifier:

```python
model = densezoo.create_model(spec.name, pretrained=$pretrained, num_classes=10)
```

Evaluate a checkpoint, train from scratch:

```sh
python tools/test.py $config CHECKPOINT --data-root DATA --protocol $protocol_name
python tools/train.py $config --data-root DATA
```

$recipes## Citation

```bibtex
$citation
```
""")


def model_cards(specs: Iterable[ModelSpec], results: Sequence[EvalResult]) -> dict[str, str]:
    """{architecture's name: its card}.

    Args:
        specs: all models of the index.
        results: all stored results.
    """
    by_arch: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        by_arch.setdefault(spec.arch, []).append(spec)
    return {arch: model_card(arch, models, results) for arch, models in by_arch.items()}


def model_card(arch: str, specs: Sequence[ModelSpec], results: Sequence[EvalResult]) -> str:
    """The card of an architecture.

    Args:
        arch: its name.
        specs: all its models; the examples use the first one.
        results: all stored results.
    """
    first = specs[0]
    family = family_of(first.architecture)
    channels, reductions = zip(*family.stages(first.architecture))
    return _CARD.substitute(
        arch=arch,
        name=first.name,
        summary=family.summary(first.architecture),
        facts=_facts(specs),
        results=_results(specs, results),
        notes=_notes(specs),
        weights=_weights(specs),
        pretrained=bool(first.weights),
        protocol=_protocol(PROTOCOLS[first.protocol]),
        protocol_name=first.protocol,
        channels=", ".join(map(str, channels)),
        reductions=", 1/".join(map(str, reductions)),
        config=first.config,
        recipes=_recipes(specs),
        citation=family.citation,
    )


def _facts(specs: Sequence[ModelSpec]) -> str:
    conventions = list(dict.fromkeys(name for spec in specs for name in spec.flops))
    return markdown(
        [
            {
                "model": spec.name,
                "other names": ", ".join(spec.aliases),
                "publisher": f"[{spec.publisher}]({spec.code})",
                "weights of": spec.port_of or "",
                "config": spec.config,
                "parameters": f"{spec.num_params:,}",
                **{f"FLOPs ({name})": f"{spec.flops[name]:,}" if name in spec.flops else "" for name in conventions},
                "at": f"{spec.image_size} px" if spec.flops else "",
            }
            for spec in specs
        ]
    )


def _results(specs: Sequence[ModelSpec], results: Sequence[EvalResult]) -> str:
    names = {spec.name for spec in specs}
    reported = [result.dataset.rstrip("+") for spec in specs for result in spec.reported]
    datasets = dict.fromkeys(reported + [result.dataset for result in results if result.model in names])
    shown_above = ("weights", "parameters", "FLOPs (counted as)")  # in the table of facts
    rows, measured = [], []
    for dataset in datasets:
        for row in dataset_rows(dataset, specs, results):
            measured.append(row.measured)
            cells = {name: text for name, text in row.cells().items() if name not in shown_above}
            stated_in = row.reported.where if row.reported else ""
            rows.append({"model": cells.pop("model"), "dataset": dataset, **cells, "where": stated_in})
    tables = [markdown(rows) + legend(measured)] if rows else []
    if corrupted := corruption_table(specs, results):
        tables.append(f"ImageNet-C:\n\n{corrupted}")
    return "\n".join(tables) or "Nothing is published, and nothing was measured.\n"


def _notes(specs: Sequence[ModelSpec]) -> str:
    notes = [
        f"- {spec.name} on {result.dataset} by {result.published_by}: {'; '.join(remarks)}"
        for spec in specs
        for result in spec.reported
        if (remarks := list(filter(None, [result.note, _why_not(result.not_evaluable)])))
    ]
    notes += [f"- {spec.name}: {_why_not(spec.not_evaluable)}" for spec in specs if spec.not_evaluable]
    return "\n".join([*dict.fromkeys(notes), "\n"]) if notes else ""


def _why_not(not_evaluable: str | None) -> str | None:
    return not_evaluable and f"can't be measured here: {not_evaluable}"


def _weights(specs: Sequence[ModelSpec]) -> str:
    rows = [_weight(spec, source) for spec in specs for source in spec.weights]
    return markdown(rows) if rows else "No weights are published.\n"


def _weight(spec: ModelSpec, source: WeightSource) -> dict[str, str]:
    remarks = [
        f"withdrawn: {source.withdrawn}" if source.withdrawn else None,
        f"densezoo can't read it: {source.not_loadable}" if source.not_loadable else None,
        f"from {source.converted_from}" if source.converted_from else None,
        source.note,
    ]
    return {
        "model": spec.name,
        "file": source.url or source.path or "",
        "format": f"{source.framework} {source.format}",
        "bytes": "" if source.file_size is None else f"{source.file_size:,}",
        "hash": "; ".join(map(_hash, source.stated_hashes)),
        "licence": source.license or "",
        "note": "; ".join(filter(None, remarks)),
    }


def _hash(stated: FileHash) -> str:
    """Its kind and first digits, and whose it is where not the file's."""
    digits = f"{stated.algorithm} {stated.digits[:16]}" + ("..." if len(stated.digits) > 16 else "")
    return digits if stated.of is None else f"{digits} of {stated.of}"


def _protocol(protocol: Protocol) -> str:
    if protocol.resize is None:
        return f"`{protocol.name}`: the image as it is"
    crop = f", the central {protocol.crop}" if protocol.crop else ""
    return f"`{protocol.name}`: short side to {protocol.resize} px, {protocol.interpolation}{crop}"


def _recipes(specs: Sequence[ModelSpec]) -> str:
    lines = [f"- {spec.name}: {_fields(spec.recipe)}" for spec in specs if spec.recipe]
    return "\n".join(["## How it was trained\n", *lines, "\n"]) if lines else ""


def _fields(recipe: Mapping[str, object]) -> str:
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in recipe.items()}
    return "; ".join(f"{name} {value}" if name != "note" else str(value) for name, value in values.items())
