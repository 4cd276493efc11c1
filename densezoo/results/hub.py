"""A model's card as huggingface.co reads it: the card after a block of YAML with the hub's own keys."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import yaml

from densezoo.types import EvalResult, LabelResult, Measurement, ModelSpec, ReportedResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResult as HubResult

#: {our name of a dataset: (the hub's, its title)}; others keep their names.
_DATASETS = {"imagenet1k": ("imagenet-1k", "ImageNet-1k"), "cifar10": ("cifar10", "CIFAR-10")}
_DATASETS |= {"cifar100": ("cifar100", "CIFAR-100"), "svhn": ("svhn", "SVHN")}
TOP1, TOP5 = "Top 1 Accuracy", "Top 5 Accuracy"  # what the index on the hub calls them
MEAN_AUC = "Mean AUC"
ACCURACY, AUC = "accuracy", "roc_auc"  # the hub's names of metrics


def hub_card(spec: ModelSpec, card: str) -> str:
    """A card with the hub's metadata before it: licence, datasets, and every published accuracy as its model-index.

    Args:
        spec: the model.
        card: its architecture's card in Markdown. Pictures and links into densezoo's repository are left out, since the
            hub has neither.
    """
    figures = [entry for result in spec.reported for entry in _published(spec, result)]
    datasets = {_dataset(result.dataset)[0] for result in spec.reported}
    text = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n", "", card, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return _with_metadata(text, spec.name, spec.arch, (spec.license or "other").lower(), datasets, figures)


def measured_hub_card(name: str, arch: str, licence: str | None, results: Sequence[Measurement], card: str) -> str:
    """The card of a network of a user's own with the hub's metadata before it.

    Args:
        name: of the model.
        arch: of its family, as a tag.
        licence: of the weights, as the hub names it; None: its owner hasn't chosen one.
        results: what was measured of it: the model-index.
        card: in Markdown; its pictures and links are of files that are published beside it.
    """
    entries = [entry for result in results for entry in _measured(result)]
    datasets = {_dataset(result.dataset)[0] for result in results}
    return _with_metadata(card, name, arch, licence, datasets, entries)


def _measured(result: Measurement) -> list[HubResult]:
    """The entries of the hub's model-index for a measurement."""
    args: dict[str, object] = {"measured_by": "densezoo test", "images": result.num_samples}
    where = (result.dataset, result.protocol_label)
    if isinstance(result, LabelResult):
        mean, labels = result.mean_auc, len(result.labels)
        return [] if mean is None else [_entry(*where, MEAN_AUC, mean, {**args, "labels": labels}, metric_type=AUC)]
    figures = ((TOP1, result.top1, result.interval95), (TOP5, result.top5, result.interval95_top5))
    return [_entry(*where, name, figure, {**args, "interval95": list(each)}) for name, figure, each in figures]


def _with_metadata(
    card: str, name: str, arch: str, licence: str | None, datasets: Iterable[str], entries: Sequence[HubResult]
) -> str:
    from huggingface_hub import ModelCardData  # here, because it takes a third of a second

    data = ModelCardData(
        model_name=name,
        library_name="densezoo",
        pipeline_tag="image-classification",
        license=licence,
        tags=["image-classification", "densenet", arch],
        datasets=sorted(datasets),
        metrics=sorted({entry.metric_type for entry in entries}) or [ACCURACY],
        eval_results=[*entries] or None,
    )
    return f"---\n{data.to_yaml()}\n---\n\n{card}"


def _published(spec: ModelSpec, result: ReportedResult) -> list[HubResult]:
    """One entry of the hub's model-index for each figure of a published result."""
    args = {"published_by": result.published_by, "stated_in": result.where}
    protocol = result.protocol or "protocol not known"
    return [
        _entry(
            result.dataset, protocol, name, float(figure), args, (result.published_by if spec.code else None, spec.code)
        )
        for name, figure in {TOP1: result.top1, TOP5: result.top5}.items()
        if figure is not None
    ]


def _entry(
    dataset: str,
    protocol: str,
    metric: str,
    value: float,
    args: Mapping[str, object],
    source: tuple[str | None, str | None] = (None, None),
    metric_type: str = ACCURACY,
) -> HubResult:
    """One figure; the source is (name, address), of which the hub takes no name without an address."""
    from huggingface_hub import EvalResult as HubResult

    kind, title = _dataset(dataset)
    return HubResult(
        task_type="image-classification",
        task_name="Image Classification",
        dataset_type=kind,
        dataset_name=title,
        dataset_config=protocol,
        metric_type=metric_type,
        metric_name=metric,
        metric_value=value,
        metric_args=dict(args),
        source_name=source[0],
        source_url=source[1],
    )


def _dataset(name: str) -> tuple[str, str]:
    """(the hub's name of a dataset, its title)."""
    return _DATASETS.get(name.rstrip("+"), (name.rstrip("+"),) * 2)


def eval_results(results: Sequence[EvalResult]) -> str:
    """The hub's ``.eval_results/*.yaml``: the top-1 of each result, with the protocol in its notes.

    Args:
        results: measured of one file.
    """
    rows = [
        {
            "dataset": {"id": _dataset(result.dataset)[0], "task_id": "image-classification"},
            "value": result.top1,
            "date": result.date,
            "notes": f"top-1 in percent of {result.num_samples:,} images under densezoo's {result.protocol_label}",
        }
        for result in results
    ]
    return yaml.safe_dump(rows, sort_keys=False)
