"""Result pages, ``docs/results/<dataset>.md``: every published and every measured accuracy on one dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from densezoo.data.layouts.imagenet_c import NAME as CORRUPTED
from densezoo.index.listing import shown
from densezoo.results.by_protocol import measured_by_protocol, published_by_protocol
from densezoo.results.cells import base_dataset
from densezoo.results.markdown import markdown
from densezoo.results.tables import (
    best_table,
    corruption_table,
    dataset_rows,
    measured_table,
    older_table,
    published_table,
)
from densezoo.types import EvalResult, ModelSpec

FOLDER = "docs/results"
INDEX = "index"  # the page that lists the others
MADE = "<!-- Made by tools/make_tables.py from the index and the stored results; what is edited here is lost. -->"


@dataclass(frozen=True)
class About:
    """What a page says of its dataset.

    Args:
        title: its heading.
        text: what the images and labels are, Markdown.
    """

    title: str
    text: str = ""


#: In the order in which they are listed. A dataset that is not here has its name for a title.
DATASETS: Mapping[str, About] = {
    "imagenet1k": About("ImageNet-1k", "The 50,000 validation images of ILSVRC 2012, one label each."),
    "imagenet-real": About(
        "ImageNet-ReaL",
        "The validation images of ImageNet-1k with the labels of https://arxiv.org/abs/2006.07159: any of an image's "
        "right answers counts.",
    ),
    "imagenetv2-matched-frequency": About(
        "ImageNetV2, matched frequency", "10,000 newly collected images, https://arxiv.org/abs/1902.10811."
    ),
    "imagenet-sketch": About("ImageNet-Sketch", "50,889 drawings, https://arxiv.org/abs/1905.13549."),
    "imagenet-a": About(
        "ImageNet-A", "7,500 photographs of 200 classes that a ResNet-50 gets wrong, https://arxiv.org/abs/1907.07174."
    ),
    "imagenet-r": About("ImageNet-R", "30,000 renditions of 200 classes, https://arxiv.org/abs/2006.16241."),
    "imagenet-a-clean": About(
        "ImageNet-1k, the classes of ImageNet-A", "The validation images of ImageNet-A's 200 classes, to compare with."
    ),
    "imagenet-r-clean": About(
        "ImageNet-1k, the classes of ImageNet-R", "The validation images of ImageNet-R's 200 classes, to compare with."
    ),
    CORRUPTED: About("ImageNet-C", "75 sets: 15 corruptions at five severities, https://arxiv.org/abs/1903.12261."),
    "cifar10": About(
        "CIFAR-10",
        "10,000 test images of 32x32 pixels, 10 classes. The files that were measured are those of "
        "https://github.com/deeplearning-wisc/dice (MIT licence).",
    ),
    "cifar100": About(
        "CIFAR-100",
        "10,000 test images of 32x32 pixels, 100 classes. The files that were measured are those of "
        "https://github.com/deeplearning-wisc/dice (MIT licence).",
    ),
    "svhn": About("SVHN", "26,032 test images of house numbers, 32x32 pixels, 10 classes."),
    **{
        name: About(title, f"{images}, {classes} classes. Of the AiTLAS benchmark arena, on a split of its own.")
        for name, title, images, classes in (
            ("aid", "AID", "Aerial scenes", 30),
            ("bcs", "Brazilian Coffee Scenes", "Satellite images of fields with and without coffee", 2),
            ("clrs", "CLRS", "Remote sensing scenes", 25),
            ("eurosat", "EuroSAT", "Land use seen by Sentinel-2", 10),
            ("optimal31", "OPTIMAL-31", "Remote sensing scenes", 31),
            ("patternnet", "PatternNet", "Aerial scenes", 38),
            ("resisc45", "RESISC45", "Remote sensing scenes", 45),
            ("rsd46whu", "RSD46-WHU", "Remote sensing scenes", 46),
            ("rsicb256", "RSI-CB256", "Remote sensing scenes", 35),
            ("rsscn7", "RSSCN7", "Remote sensing scenes", 7),
            ("sat6", "SAT-6", "Land cover seen from the air", 6),
            ("siriwhu", "SIRI-WHU", "Aerial scenes", 12),
            ("so2sat", "So2Sat LCZ42", "Local climate zones seen by satellites", 17),
            ("ucmerced", "UC Merced", "Aerial scenes", 21),
            ("whurs19", "WHU-RS19", "Aerial scenes", 19),
        )
    },
    "radimagenet": About(
        "RadImageNet", "CT, MR and ultrasound images, 165 classes, https://github.com/BMEII-AI/RadImageNet."
    ),
    "imagenet1k-subset1000": About(
        "ImageNet-1k, 1,000 images", "1,000 of the validation images; which of them, the publisher does not say."
    ),
    "digits": About(
        "Digits",
        "The second half of scikit-learn's digits, 899 images of 8x8 pixels, from writers that the network has not "
        "seen in training.",
    ),
}

_PUBLISHED = """\
## Published

Percent, with the digits that are published. A figure belongs to its protocol: compare within one protocol only
([why](../protocols.md)). FLOPs are multiply-adds of convolutions and classifier, at the protocol's image size."""
_BY_PROTOCOL = """\
## The same weights under several protocols

Top-1 of one training and of every conversion of its weights, by the protocol that the figure belongs to."""
_OLDER = """\
## Older figures

Of the same publishers for the same weights under the same protocol, from older tables."""
_MEASURED = """\
## Measured

By densezoo, from the files in [`results/`](../../results); intervals are Wilson's. Where somebody published a figure
for the same weights under the same protocol, the last column has it."""
_MATRIX = """\
## One file of weights under several protocols

Top-1, measured."""
_PLUS = """\
A plus (`{dataset}+`) names weights that were trained with augmentation; the test images are the same."""


def result_pages(specs: Mapping[str, ModelSpec], results: Sequence[EvalResult]) -> dict[str, str]:
    """{name of a page: its text}: a page for every dataset with an accuracy, and the list of them."""
    published = [base_dataset(reported.dataset) for spec in specs.values() for reported in spec.reported]
    present = dict.fromkeys(published + [result.dataset for result in results])
    names = [name for name in DATASETS if name in present] + sorted(present.keys() - DATASETS.keys())
    pages = {name: _page(name, specs, results) for name in names}
    return {INDEX: _index(names, specs, results), **pages}


def _page(dataset: str, specs: Mapping[str, ModelSpec], results: Sequence[EvalResult]) -> str:
    about = DATASETS.get(dataset, About(dataset))
    if any(spec_result.dataset == f"{dataset}+" for spec in specs.values() for spec_result in spec.reported):
        about = About(about.title, f"{about.text}\n{_PLUS.format(dataset=dataset)}".strip())
    sections = {
        _BY_PROTOCOL: published_by_protocol(dataset, specs),
        _MATRIX: measured_by_protocol(dataset, specs.values(), results),
        _MEASURED: (corruption_table(specs.values(), results) if dataset == CORRUPTED else "")
        or measured_table(specs.values(), results, dataset, FOLDER),
        _PUBLISHED: published_table(dataset, specs.values(), FOLDER),
        _OLDER: older_table(dataset, specs.values()),
    }
    head = [f"# {about.title}", MADE, about.text, "All datasets: [results](index.md)."]
    text = [*head, *(f"{heading}\n\n{table.rstrip()}" for heading, table in sections.items() if table)]
    return "\n\n".join(filter(None, text)) + "\n"


_INDEX = f"""\
# Results

{MADE}

A page a dataset, with every published accuracy of the index, and every measured one of [`results/`](../../results).
What a publisher claims is never mixed with what we measured: a table has one or the other, or a column for each.

"""
_BEST = """
## The best of each architecture on ImageNet-1k

The highest published top-1, whichever the protocol.

"""


def _index(names: Sequence[str], specs: Mapping[str, ModelSpec], results: Sequence[EvalResult]) -> str:
    rows = []
    for name in names:
        own = dataset_rows(name, specs.values(), results)
        figures = [row.reported.top1 for row in own if row.reported is not None]
        best = max((figure for figure in figures if figure is not None), default=None)
        rows.append(
            {
                "dataset": f"[{DATASETS.get(name, About(name)).title}]({name}.md)",
                "models": f"{len({row.spec.name for row in own}):,}",
                "published figures": f"{sum(row.reported is not None for row in own):,}",
                "highest published top-1": "" if best is None else shown(best),
                "measured": f"{len({id(row.measured) for row in own if row.measured is not None}) or ''}",
            }
        )
    highest = best_table("imagenet1k", specs.values(), FOLDER, number=len(specs))
    return _INDEX + markdown(rows) + (_BEST + highest if "imagenet1k" in names else "")
