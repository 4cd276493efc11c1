"""The card of a network that was just trained, ready to be published beside its file: what it is, scores and takes."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import Template

from densezoo.data.datasets import DATASETS
from densezoo.families import family_of
from densezoo.results.hub import measured_hub_card
from densezoo.results.markdown import markdown, plain
from densezoo.types import Architecture, EvalResult, LabelResult, Measurement, RunFacts

AREAS = "Area under each label's ROC curve"  # the heading of such a table
_SEAL = "<!-- As densezoo train wrote it: "  # before the sha256 of all that is above, by which an edited card is known
_CARD = Template("""\
<!-- Written by densezoo train. Choose a licence for the weights: a line "license: ..." in the block above. -->

# $name

$summary

$file
## $measured

$accuracy
$curves## Training

```sh
$command
```

$how

$recipe
## Use

```python
import densezoo

model = densezoo.load_checkpoint("$path")[0].eval()
batch = densezoo.get_protocol("$protocol")("image.png")[None]  # float32 (1, C, H, W), as the weights need it
probabilities = model(batch).$probabilities[0]
```

```sh
densezoo test $path$data
```

$classes## Citation

```bibtex
$citation
```
""")


@dataclass(frozen=True)
class Trained:
    """A network that was just trained.

    Args:
        name: of the config.
        path: of the weights' file, relative to the card.
        size: of the file in bytes.
        sha256: of the file.
        architecture: of the network.
        dataset, protocol: it was trained on, and under.
        command: that trained it.
        recipe: {field of `densezoo.types.Recipe`: value}.
        started_from: whose weights it began with; None: random ones.
        classes: what its outputs are called; empty: nobody says.
        epochs, steps, seconds: of the training; seconds of its steps alone.
        machine: it was trained on.
        curves: picture of the training, relative to the card; None: there is none.
    """

    name: str
    path: str
    size: int
    sha256: str
    architecture: Architecture
    dataset: str
    protocol: str
    command: str
    recipe: Mapping[str, object]
    started_from: str | None
    classes: Sequence[str]
    epochs: int
    steps: int
    seconds: float
    machine: str
    curves: str | None


def training_card(trained: Trained, result: Measurement, stored: str) -> str:
    """The card in Markdown, after a block of YAML with huggingface.co's keys and the figures as its model-index.

    Args:
        trained: the network.
        result: its evaluation.
        stored: the result's file, relative to the card.
    """
    family = family_of(trained.architecture)
    curves = f"![Loss, accuracy and learning rate of the training]({trained.curves})\n\n" if trained.curves else ""
    table = trained.recipe.get("label_table")
    data = data_option(trained.dataset)
    card = _CARD.substitute(
        name=trained.name,
        summary=family.summary(trained.architecture),
        file=markdown([{"file": trained.path, "bytes": f"{trained.size:,}", "sha256": trained.sha256}]),
        measured="Accuracy" if isinstance(result, EvalResult) else AREAS,
        accuracy=accuracy_table([(result, stored)])
        if isinstance(result, EvalResult)
        else label_auc_table(result, stored),
        curves=curves,
        command=trained.command,
        how=_how(trained),
        recipe=recipe_table(trained.recipe),
        path=trained.path,
        protocol=trained.protocol,
        probabilities="softmax(1)" if isinstance(result, EvalResult) else "sigmoid()",
        data=f"{data} --label-table {shlex.quote(str(table))}" if table else data,
        classes=class_list(trained.classes),
        citation=family.citation,
    )
    whole = measured_hub_card(trained.name, family.name, None, [result], card)
    return f"{whole}{_SEAL}{_sha256(whole)} -->\n"


def data_option(dataset: str) -> str:
    """The option that names the images of a dataset, after a space; "" of one that comes with a package.

    Args:
        dataset: its name.
    """
    return "" if dataset in DATASETS and DATASETS[dataset].built_in else " --data-root DATA"


def is_unedited(card: str) -> bool:
    """Whether a text is a card as `training_card` made it.

    Args:
        card: the text.
    """
    whole, _, seal = card.rpartition(_SEAL)
    return seal == f"{_sha256(whole)} -->\n"


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()


def accuracy_table(results: Sequence[tuple[EvalResult, str]]) -> str:
    """The figures, and what each was measured with.

    Args:
        results: (a result, its file relative to the card; "": it isn't published).
    """
    rows, lines = [], []
    for result, stored in results:
        low, high = result.interval95
        rows.append(
            {
                "dataset": result.dataset,
                "protocol": result.protocol_label,
                "top-1": f"{result.top1:.2f}",
                "95 % interval": f"{low:.2f} to {high:.2f}",
                "top-5": f"{result.top5:.2f}",
                "images": f"{result.num_samples:,}",
            }
        )
        lines.append(_measured_by(result, stored))
    return f"{markdown(rows)}\n{''.join(lines)}"


def label_auc_table(result: LabelResult, stored: str) -> str:
    """The area of each label, and what it was measured with.

    Args:
        result: of several labels an image.
        stored: its file relative to the card.
    """
    rows = [
        {
            "label": plain(label.name),
            "AUC": "" if label.auc is None else f"{label.auc:.4f}",
            "95 % interval": "{:.4f} to {:.4f}".format(*label.interval95) if label.interval95 else "",
            "images with it": f"{label.positives:,}",
            "without": f"{label.negatives:,}",
        }
        for label in result.labels
    ]
    areas = sum(label.auc is not None for label in result.labels)
    mean = "" if result.mean_auc is None else f"Mean of {areas} labels: {result.mean_auc:.4f}. "
    return f"{markdown(rows)}\n{mean}Protocol {result.protocol_label}. {_measured_by(result, stored)}"


def _measured_by(result: RunFacts, stored: str) -> str:
    """With what a result was measured, and where it is stored."""
    on = f"{result.backend} in {result.precision} on {result.machine or result.device}"
    where = f": [{stored}]({stored})" if stored else ""
    return f"Measured by `densezoo test` with {on}, {result.date[:10]}{where}.\n"


def _how(trained: Trained) -> str:
    """How long it was trained, where, and from which weights."""
    begun = f"the weights of {trained.started_from}" if trained.started_from else "random weights"
    return (
        f"{trained.epochs:,} epochs, {trained.steps:,} steps, begun with {begun}; "
        f"its steps took {trained.seconds:,.0f} s on {trained.machine}."
    )


def recipe_table(recipe: Mapping[str, object]) -> str:
    """How it was trained.

    Args:
        recipe: {field of `densezoo.types.Recipe`: value}.
    """
    return markdown([{"recipe": plain(name), "": plain(_word(value))} for name, value in recipe.items()])


def _is_set(value: object) -> bool:
    """Whether a part of a recipe says anything: not what is None, False, empty or no text; a 0 does."""
    return value is not None and value is not False and value not in ("", [], (), {})


def _word(value: object) -> str:
    """A recipe's value in a table."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_word(each)}" for name, each in value.items() if _is_set(each))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_word, value))
    return "none" if value is None else str(value)


def class_list(names: Sequence[str]) -> str:
    """What the outputs are called; of many the first ones and the last; "" if nobody says.

    Args:
        names: in the order of the outputs.
    """
    if not names:
        return ""
    words = [plain(name) for name in (names if len(names) <= 20 else [*names[:10], names[-1]])]
    shown = ", ".join(words) if len(names) <= 20 else f"{', '.join(words[:-1])}, ... {words[-1]}"
    return f"The {len(names):,} outputs are: {shown}.\n\n"
