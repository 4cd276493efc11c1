"""Model cards: one page an architecture, ``docs/models/<arch>.md``, made from the index and the stored results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from string import Template

from densezoo.families import family_of
from densezoo.index.listing import shown
from densezoo.protocols import get_protocol
from densezoo.protocols.words import resizing
from densezoo.results.cells import LABEL_TABLE, base_dataset, protocol_label, publisher
from densezoo.results.diagrams import diagram
from densezoo.results.markdown import markdown
from densezoo.results.pages import MADE
from densezoo.results.tables import by_architecture
from densezoo.types import ModelSpec, Protocol

_CARD = Template("""\
# $arch

$made

$summary

![Input channels of every dense layer of $arch, block by block]($arch.svg)

Each bar is a dense layer, as high as the number of channels that it reads; $image_size x $image_size images.

## Weights

$models
Files with their sizes and hashes, every accuracy, FLOPs by every convention, and how the weights were trained:
[all about these weights](../weights/$arch.md). Protocols: [what each does](../protocols.md).

## Use

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
$test
densezoo train $config --data-root DATA
```

## Citation

```bibtex
$citation
```
$papers""")

_PREDICTION = Template("""\
Predict the likeliest $kind $sample. The protocol `$protocol` prepares the image as the weights need it: $steps.

```python
import torch
$image_imports
$image
spec = densezoo.get_spec("$name")
batch = densezoo.get_protocol(spec.protocol)(image)[None]  # float32 (1, C, H, W)
with torch.inference_mode():
    probabilities = model.eval()(batch).$probabilities[0]
names = densezoo.class_names(spec)
for probability, label in zip(*probabilities.topk($count)):
    print(f"{probability:.1%} {names[label]}")
```

""")
_TEST_BY_NAME = Template("""\
densezoo predict $name image.png
densezoo test $name --data-root DATA$table""")
_TEST_FILE = Template("densezoo test $config CHECKPOINT --data-root DATA --protocol $protocol$table")
_NO_WEIGHTS = "No weights are published that densezoo can load: what `create_model` gives has random ones.\n\n"


def model_cards(specs: Iterable[ModelSpec]) -> dict[str, str]:
    """{file name: text}: of every architecture its card and the picture that the card shows."""
    by_arch = by_architecture(specs)
    cards = {"index.md": _index(by_arch)}
    cards |= {f"{arch}.md": model_card(arch, own) for arch, own in by_arch.items()}
    pictures = {f"{arch}.svg": diagram(arch, own[0].architecture, image_size(own[0])) for arch, own in by_arch.items()}
    return cards | pictures


def _index(by_arch: Mapping[str, Sequence[ModelSpec]]) -> str:
    """The page that lists all cards, the smallest network first."""
    rows = [
        {
            "architecture": f"[{arch}]({arch}.md)",
            "parameters": f"{own[0].num_params:,}",
            "sets of weights": f"[{len(own)}](../weights/{arch}.md)",
            "files": f"{sum(len(spec.weights) for spec in own)}",
            "published on": ", ".join(dict.fromkeys(base_dataset(r.dataset) for spec in own for r in spec.reported)),
        }
        for arch, own in sorted(by_arch.items(), key=lambda item: item[1][0].num_params)
    ]
    return f"# Models\n\n{MADE}\n\nA card an architecture, the smallest first.\n\n{markdown(rows)}"


def model_card(arch: str, specs: Sequence[ModelSpec]) -> str:
    """The card of an architecture.

    Args:
        specs: all its models; the examples use the first that has weights.
    """
    first = next((spec for spec in specs if spec.usable_weights), specs[0])
    family = family_of(first.architecture)
    channels, reductions = zip(*family.stages(first.architecture))
    return _CARD.substitute(
        arch=arch,
        made=MADE,
        name=first.name,
        summary=family.summary(first.architecture),
        image_size=image_size(specs[0]),
        models=_models(specs),
        pretrained=", pretrained=True" if first.usable_weights else "",
        prediction=_prediction(first) if first.usable_weights else _NO_WEIGHTS,
        test=(_TEST_BY_NAME if first.usable_weights else _TEST_FILE).substitute(
            name=first.name, config=first.config, protocol=first.protocol, table=LABEL_TABLE * first.multi_label
        ),
        channels=", ".join(map(str, channels)),
        reductions=", 1/".join(map(str, reductions)),
        config=first.config,
        citation=family.citation,
        papers=_papers(specs, family.citation),
    )


def _papers(specs: Sequence[ModelSpec], citation: str) -> str:
    """The papers that weights are from, apart from the architecture's own; "" where there is none."""
    by_paper: dict[str, list[str]] = {}
    for spec in specs:
        if spec.paper is not None and spec.paper not in citation:
            by_paper.setdefault(spec.paper, []).append(spec.name)
    lines = [f"- {', '.join(names)}: {paper}\n" for paper, names in by_paper.items()]
    return "\nWeights of a paper of their own:\n\n" + "".join(lines) if lines else ""


def image_size(spec: ModelSpec) -> int:
    """Side in pixels of the images that the picture of a model's architecture is drawn for.

    Args:
        spec: the model.
    """
    return spec.image_size or get_protocol(spec.protocol).crop or 224


def _models(specs: Sequence[ModelSpec]) -> str:
    """A row a model: the figure under its own protocol, or else its first, and whose weights it has."""
    rows = []
    for spec in specs:
        figure = spec.headline
        rows.append(
            {
                "model": spec.name,
                "trained on": figure.dataset if figure else "",
                "top-1": shown(figure.top1) if figure and figure.top1 is not None else "",
                "protocol": protocol_label(figure) if figure else "",
                "publisher": publisher(spec),
                "weights of": spec.port_of or "",
                "licence": spec.license or "",
            }
        )
    return markdown(rows)


def _prediction(spec: ModelSpec) -> str:
    protocol = get_protocol(spec.protocol)
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
        kind="labels" if spec.multi_label else "classes",
        probabilities="sigmoid()" if spec.multi_label else "softmax(1)",
        count=min(5, spec.architecture.num_classes),
    )


def _steps(protocol: Protocol) -> str:
    if protocol.resize is None:
        return "the image as it is, normalised"
    crop = f", the central {protocol.crop} x {protocol.crop}" if protocol.crop else ""
    return f"{resizing(protocol)}{crop}"
