"""The card of weights that a user shares: in a folder of `densezoo publish`, or on huggingface.co."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from string import Template

from densezoo.families import family_of
from densezoo.protocols.own import MARK
from densezoo.results.cells import LABEL_TABLE
from densezoo.results.hub import measured_hub_card
from densezoo.results.markdown import markdown, plain
from densezoo.results.training_card import AREAS, accuracy_table, class_list, data_option, label_auc_table, recipe_table
from densezoo.types import Architecture, EvalResult, LabelResult, Measurement

PROTOCOL = "protocol.yml"  # beside the card, of a user's own

_CARD = Template("""\
# $name

$summary

$file
$accuracy$recipe## Use

```python
import densezoo

classifier = densezoo.Classifier("$address")
print(classifier("picture.png"))
```

```sh
densezoo predict $address picture.png
$test```

$protocol## Citation

```bibtex
$citation
```
""")


@dataclass(frozen=True)
class Shared:
    """Weights that a user shares.

    Args:
        name: of the model.
        address: what `densezoo.Classifier` takes for it: a file beside the card, or "hf-hub:owner/name".
        file: of the weights, relative to the card.
        size: of the file in bytes.
        sha256: of the file.
        architecture: of the network.
        protocol: the name of its protocol.
        licence: of the weights; None: its owner names none.
        results: (what was measured of the weights, the result's file relative to the card; "": it isn't published).
        classes: what its outputs are called; empty: nobody says.
        recipe: {field of `densezoo.types.Recipe`: value}, as the file of a training states it; empty: it doesn't.
        dataset: that it was trained or measured on; "": nobody says.
        multi_label: whether an image may have several labels.
    """

    name: str
    address: str
    file: str
    size: int
    sha256: str
    architecture: Architecture
    protocol: str
    licence: str | None = None
    results: Sequence[tuple[Measurement, str]] = ()
    classes: Sequence[str] = ()
    recipe: Mapping[str, object] = field(default_factory=dict)
    dataset: str = ""
    multi_label: bool = False


def shared_card(shared: Shared) -> str:
    """The card in Markdown, after a block of YAML with huggingface.co's keys and the figures as its model-index.

    Args:
        shared: what is shared.
    """
    family = family_of(shared.architecture)
    own = f", which the file states whole and [{PROTOCOL}]({PROTOCOL}) explains" if MARK in shared.protocol else ""
    several = shared.multi_label or any(isinstance(result, LabelResult) for result, _ in shared.results)
    table = LABEL_TABLE * several
    card = _CARD.substitute(
        name=shared.name,
        summary=family.summary(shared.architecture),
        file=markdown([{"file": shared.file, "bytes": f"{shared.size:,}", "sha256": shared.sha256}]),
        accuracy=_accuracy(shared) if shared.results else "",
        recipe=f"## Training\n\nOn {plain(shared.dataset)}.\n\n{recipe_table(shared.recipe)}\n"
        if shared.recipe
        else "",
        address=shared.address,
        test=f"densezoo test {shared.address}{data_option(shared.dataset)}{table}\n" if shared.dataset else "",
        protocol=f"Pictures are prepared under the protocol `{shared.protocol}`{own}.\n\n{class_list(shared.classes)}",
        citation=family.citation,
    )
    results = [result for result, _ in shared.results]
    return measured_hub_card(shared.name, family.name, shared.licence, results, card)


def _accuracy(shared: Shared) -> str:
    """The figures, and of which file they were measured if it is another one with the same weights."""
    others = {result.weights_sha256 for result, _ in shared.results} - {shared.sha256}
    notes = [f"Measured of the file with the sha256 {each}, whose weights these are to the bit.\n" for each in others]
    single = [(result, where) for result, where in shared.results if isinstance(result, EvalResult)]
    several = [(result, where) for result, where in shared.results if isinstance(result, LabelResult)]
    tables = [f"## Accuracy\n\n{accuracy_table(single)}"] if single else []
    tables += [f"## {AREAS}\n\n" + "\n".join(label_auc_table(*each) for each in several)] if several else []
    return "\n".join(tables) + "".join(sorted(notes)) + "\n"
