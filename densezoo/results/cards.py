"""Model cards: one page an architecture, ``docs/models/<arch>.md``, made from the index and the stored results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import Template

from densezoo.families import family_of
from densezoo.protocols import PROTOCOLS
from densezoo.results.diagrams import diagram
from densezoo.results.markdown import markdown
from densezoo.results.pages import DATASETS, FOLDER, MADE, About
from densezoo.results.tables import (
    Notes,
    base_dataset,
    corruption_table,
    link,
    measured_table,
    published_table,
    top1_by_dataset,
)
from densezoo.types import EvalResult, FileHash, ModelSpec, Protocol, WeightSource

CARDS = "docs/models"

_CARD = Template("""\
# $arch

$made

$summary

![Input channels of every dense layer of $arch, block by block]($arch.svg)

Each bar is a dense layer, as high as the number of channels that it reads; $image_size x $image_size images.

$facts

## Weights

$models
$files
$accuracy## Use

```python
import densezoo

model = densezoo.create_model("$name"$pretrained)
```

$prediction```python
# a list of maps: $channels channels at 1/$reductions of the image's side
backbone = densezoo.create_model("$name"$pretrained, features_only=True)
# with a fresh classifier, to fine-tune on other classes
model = densezoo.create_model("$name"$pretrained, num_classes=10)
```

```sh
densezoo test $config CHECKPOINT --data-root DATA --protocol $protocol
densezoo train $config --data-root DATA
```

$recipes## Citation

```bibtex
$citation
```
""")

_PREDICTION = Template("""\
Predict the five likeliest classes $sample. The protocol `$protocol` prepares the image as the weights need it: $steps.

```python
import torch
$image_imports
$image
spec = densezoo.get_spec("$name")
batch = densezoo.get_protocol(spec.protocol)(image)[None]  # float32 (1, C, H, W)
with torch.inference_mode():
    probabilities = model.eval()(batch).softmax(1)[0]
names = densezoo.class_names(spec)
for probability, label in zip(*probabilities.topk(5)):
    print(f"{probability:.1%} {names[label]}")
```

""")
_NO_WEIGHTS = "No weights are published that densezoo can load: what `create_model` gives has random ones.\n\n"


def model_cards(specs: Iterable[ModelSpec], results: Sequence[EvalResult]) -> dict[str, str]:
    """{file name: text}: of every architecture its card and the picture that the card shows."""
    by_arch: dict[str, list[ModelSpec]] = {}
    for spec in specs:
        by_arch.setdefault(spec.arch, []).append(spec)
    cards = {"index.md": _index(by_arch)}
    cards |= {f"{arch}.md": model_card(arch, own, results) for arch, own in by_arch.items()}
    pictures = {f"{arch}.svg": diagram(arch, own[0].architecture, _image_size(own[0])) for arch, own in by_arch.items()}
    return cards | pictures


def _index(by_arch: Mapping[str, Sequence[ModelSpec]]) -> str:
    """The page that lists all cards, the smallest network first."""
    rows = [
        {
            "architecture": f"[{arch}]({arch}.md)",
            "parameters": f"{own[0].num_params:,}",
            "sets of weights": f"{len(own)}",
            "files": f"{sum(len(spec.weights) for spec in own)}",
            "published on": ", ".join(dict.fromkeys(base_dataset(r.dataset) for spec in own for r in spec.reported)),
        }
        for arch, own in sorted(by_arch.items(), key=lambda item: item[1][0].num_params)
    ]
    return f"# Models\n\n{MADE}\n\nA card an architecture, the smallest first.\n\n{markdown(rows)}"


def model_card(arch: str, specs: Sequence[ModelSpec], results: Sequence[EvalResult]) -> str:
    """The card of an architecture.

    Args:
        specs: all its models; the examples use the first that has weights.
    """
    first = next((spec for spec in specs if _usable(spec)), specs[0])
    family = family_of(first.architecture)
    channels, reductions = zip(*family.stages(first.architecture))
    return _CARD.substitute(
        arch=arch,
        made=MADE,
        name=first.name,
        summary=family.summary(first.architecture),
        image_size=_image_size(specs[0]),
        facts=_facts(specs),
        models=_models(specs),
        files=_files(specs),
        accuracy=_accuracy(specs, results),
        pretrained=", pretrained=True" if _usable(first) else "",
        prediction=_prediction(first) if _usable(first) else _NO_WEIGHTS,
        protocol=first.protocol,
        channels=", ".join(map(str, channels)),
        reductions=", 1/".join(map(str, reductions)),
        config=first.config,
        recipes=_recipes(specs),
        citation=family.citation,
    )


def _image_size(spec: ModelSpec) -> int:
    """Side in pixels of the images that its picture is drawn for."""
    return spec.image_size or PROTOCOLS[spec.protocol].crop or 224


def _usable(spec: ModelSpec) -> bool:
    """Whether densezoo can fetch and read a file of its weights."""
    return any(not source.withdrawn and not source.not_loadable for source in spec.weights)


def _facts(specs: Sequence[ModelSpec]) -> str:
    """Parameters and FLOPs, which models of one architecture share; those that don't are lines of their own."""
    shared: dict[str, list[str]] = {}
    for spec in specs:
        shared.setdefault(f"{spec.num_params:,} parameters", []).append(spec.name)
        for convention, count in spec.flops.items():
            fact = f"{count:,} FLOPs at {spec.image_size} px as {convention} counts them"
            shared.setdefault(fact, []).append(spec.name)
    whole = len({spec.num_params for spec in specs}) == 1
    lines = [f"- {fact}" + ("" if whole else f": {', '.join(names)}") for fact, names in shared.items()]
    return "\n".join(lines)


def _models(specs: Sequence[ModelSpec]) -> str:
    return markdown(
        [
            {
                "model": spec.name,
                "other names": ", ".join(spec.aliases),
                "publisher": f"[{spec.publisher}]({spec.code})",
                "weights of": spec.port_of or "",
                "licence": spec.license or "",
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
        sections.append(published_table(order[0], specs, CARDS, notes))
    if order[1:]:
        sections.append(f"Published top-1 on {', '.join(map(_page, order[1:]))}:\n")
        sections.append(top1_by_dataset(order[1:], specs, notes))
    if listed := notes.text():
        sections.append(listed.lstrip())
    if measured := measured_table(specs, results, folder=CARDS):
        sections.append(f"Measured by densezoo:\n\n{measured}")
    if corrupted := corruption_table(specs, results):
        sections.append(f"ImageNet-C:\n\n{corrupted}")
    return "\n".join(["## Accuracy\n", *sections, ""]) if sections else ""


def _page(dataset: str) -> str:
    """A dataset's title, linked to its page."""
    return f"[{DATASETS.get(dataset, About(dataset)).title}]({link(f'{FOLDER}/{dataset}.md', CARDS)})"


def _files(specs: Sequence[ModelSpec]) -> str:
    notes = Notes()
    rows = [_file(spec, source, notes) for spec in specs for source in spec.weights]
    return markdown(rows) + notes.text() if rows else "No weights are published.\n"


def _file(spec: ModelSpec, source: WeightSource, notes: Notes) -> dict[str, str]:
    url = source.url or link(str(source.path), CARDS)
    remarks = [
        f"withdrawn: {source.withdrawn}" if source.withdrawn else None,
        f"densezoo can't read it: {source.not_loadable}" if source.not_loadable else None,
        f"from {source.converted_from}" if source.converted_from else None,
        source.note,
    ]
    return {
        "model": spec.name,
        "file": f"[{_file_name(url)}]({url})",
        "format": f"{source.framework} {source.format}",
        "bytes": "" if source.file_size is None else f"{source.file_size:,}",
        "hash": "; ".join(map(_hash, source.stated_hashes)),
        "licence": source.license or "",
        "note": notes.number("; ".join(filter(None, remarks)) or None),
    }


def _hash(stated: FileHash) -> str:
    """Its kind and first digits, and whose it is where not the file's."""
    digits = f"{stated.algorithm} {stated.digits[:8]}" + ("..." if len(stated.digits) > 8 else "")
    return digits if stated.of is None else f"{digits} of {stated.of}"


def _file_name(url: str) -> str:
    """What a link to a file is called."""
    return "Google Drive" if "drive.google.com" in url else url.rstrip("/").rpartition("/")[2].partition("?")[0]


def _prediction(spec: ModelSpec) -> str:
    protocol = PROTOCOLS[spec.protocol]
    size = spec.image_size or 0
    grey = "L" if protocol.channel_order == "L" else "RGB"
    if protocol.resize is not None:
        sample, imports = "of a photograph", "from PIL import Image\nfrom sklearn.datasets import load_sample_image\n"
        image = 'image = Image.fromarray(load_sample_image("china.jpg"))  # or the path of your own'
    elif grey == "L":
        sample, imports = "of a digit", "from PIL import Image\nfrom sklearn.datasets import load_digits\n"
        image = 'image = Image.fromarray((load_digits().images[-1] * 255 / 16).astype("uint8"))'
    else:
        sample, imports = f"of an image of {size} x {size} pixels", "from PIL import Image\n"
        image = f'image = Image.open("image.png")  # {size} x {size} pixels, as the weights were trained with'
    return _PREDICTION.substitute(
        sample=sample,
        protocol=spec.protocol,
        steps=_steps(protocol),
        image_imports=imports,
        image=image,
        name=spec.name,
    )


def _steps(protocol: Protocol) -> str:
    if protocol.resize is None:
        return "the image as it is, normalised"
    crop = f", the central {protocol.crop} x {protocol.crop}" if protocol.crop else ""
    return f"short side to {protocol.resize} pixels, {protocol.interpolation}{crop}"


def _recipes(specs: Sequence[ModelSpec]) -> str:
    """How the models were trained; models with the same words share them."""
    shared: dict[str, list[str]] = {}
    for spec in specs:
        if spec.recipe:
            shared.setdefault(_fields(spec.recipe), []).append(spec.name)
    lines = [f"- {', '.join(names)}: {words}" for words, names in shared.items()]
    return "\n".join(["## How it was trained\n", *lines, "\n"]) if lines else ""


def _fields(recipe: Mapping[str, object]) -> str:
    values = {name: ", ".join(value) if isinstance(value, tuple) else value for name, value in recipe.items()}
    return "; ".join(f"{name} {value}" if name != "note" else str(value) for name, value in values.items())
