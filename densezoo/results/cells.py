"""What stands in the cells of tables: figures, labels, links, notes."""

from __future__ import annotations

import posixpath

from densezoo.index.flops import flops_under
from densezoo.index.listing import shown
from densezoo.types import EvalResult, ModelSpec, ReportedResult

_FLOPS = "torchvision"  # the convention of all tables: multiply-adds of convolutions and the classifier
_SUFFIXES = {"pickle": "pth"}  # how a file link is named where the format's own name says less
LABEL_TABLE = " --label-table LABELS.csv"  # what a test of several labels an image needs besides


def protocol_label(reported: ReportedResult) -> str:
    """The protocol of a published figure, "not known", and its test-time augmentation."""
    return "+".join(filter(None, [reported.protocol or "not known", reported.tta]))


def base_dataset(dataset: str) -> str:
    """The test set of a published dataset's name: ``cifar10+`` is CIFAR-10 after training with augmentation."""
    return dataset.rstrip("+")


class Notes:
    """The notes of a table, numbered; the same text has one number."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str | None) -> str:
        """The number that stands in the table; "" without a note."""
        return "" if text is None else f"{self._numbers.setdefault(text, len(self._numbers) + 1)}"

    def text(self) -> str:
        """What stands below the table."""
        lines = [f"{number}. {text}\n" for text, number in self._numbers.items()]
        return "\nNotes:\n\n" + "".join(lines) if lines else ""


def remarks(reported: ReportedResult) -> str | None:
    """What is to be known of a published figure."""
    why_not = f"can't be measured with densezoo: {reported.not_evaluable}" if reported.not_evaluable else None
    return "; ".join(filter(None, [reported.note, why_not])) or None


def model_link(spec: ModelSpec, folder: str) -> str:
    """A model's name, linked to its card."""
    return f"[{spec.name}]({link(f'docs/models/{spec.arch}.md', folder)})"


def file_links(spec: ModelSpec, folder: str) -> str:
    """A link to a model's first file, named by its format, and one to the list of the others, named by their number.

    Files that their publisher withdrew are left out.
    """
    sources = [source for source in spec.weights if not source.withdrawn]
    if not sources:
        return ""
    first, *others = sources
    name = first.format.removesuffix(" in zip")
    links = f"[{_SUFFIXES.get(name, name)}]({first.url or link(str(first.path), folder)})"
    return links + (f" [+{len(others)}]({link(f'docs/weights/{spec.arch}.md', folder)}#files)" if others else "")


def giga_flops(spec: ModelSpec, protocol: str) -> str:
    """Multiply-adds in units of 10^9, at the image size of a protocol; "" where nobody states FLOPs.

    Args:
        protocol: its name, with what else is unusual in a measurement after a plus.
    """
    _, counts = flops_under(spec, protocol.partition("+")[0])
    return f"{counts[_FLOPS] / 1e9:.2f}" if _FLOPS in counts else ""


def with_interval(result: EvalResult) -> str:
    """Measured top-1 with its 95 % interval."""
    return f"{result.top1:.2f} ({result.interval95[0]:.2f} to {result.interval95[1]:.2f})"


def link(path: str, folder: str) -> str:
    """A link to a file of the repository from a document in a folder of it, both relative to the repository."""
    return posixpath.relpath(path, folder or ".")


def publisher(spec: ModelSpec) -> str:
    """Who published a model's weights, linked to the code where there is some."""
    return f"[{spec.publisher}]({spec.code})" if spec.code else spec.publisher


def percent(value: float | None) -> str:
    """A published percentage."""
    return "" if value is None else shown(value)
