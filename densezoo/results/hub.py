"""A model's card as huggingface.co reads it: the card after a block of YAML with the hub's own keys."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from densezoo.types import ModelSpec, ReportedResult

if TYPE_CHECKING:
    from huggingface_hub import EvalResult

#: {our name of a dataset: (the hub's, its title)}; others keep their names.
_DATASETS = {"imagenet1k": ("imagenet-1k", "ImageNet-1k"), "cifar10": ("cifar10", "CIFAR-10")}
_DATASETS |= {"cifar100": ("cifar100", "CIFAR-100"), "svhn": ("svhn", "SVHN")}


def hub_card(spec: ModelSpec, card: str) -> str:
    """A card with the hub's metadata before it: licence, datasets, and every published accuracy as its model-index.

    Args:
        spec: the model.
        card: its architecture's card in Markdown. Pictures and links into densezoo's repository are left out, since the
            hub has neither.
    """
    from huggingface_hub import ModelCardData  # here, because it takes a third of a second

    data = ModelCardData(
        model_name=spec.name,
        library_name="densezoo",
        pipeline_tag="image-classification",
        license=(spec.license or "other").lower(),
        tags=["image-classification", "densenet", spec.arch],
        datasets=sorted({_dataset(result)[0] for result in spec.reported}),
        metrics=["accuracy"],
        eval_results=[entry for result in spec.reported for entry in _entries(spec, result)] or None,
    )
    text = re.sub(r"^!\[[^\]]*\]\((?!https?:)[^)]*\)\n", "", card, flags=re.MULTILINE)
    text = re.sub(r"\[([^\]]*)\]\((?!https?:)[^)]*\)", r"\1", text)
    return f"---\n{data.to_yaml()}\n---\n\n{text}"


def _entries(spec: ModelSpec, result: ReportedResult) -> list[EvalResult]:
    """One entry of the hub's model-index for each figure of a result."""
    from huggingface_hub import EvalResult

    dataset, title = _dataset(result)
    figures = {"Top 1 Accuracy": result.top1, "Top 5 Accuracy": result.top5}
    return [
        EvalResult(
            task_type="image-classification",
            task_name="Image Classification",
            dataset_type=dataset,
            dataset_name=title,
            dataset_config=result.protocol or "protocol not known",
            metric_type="accuracy",
            metric_name=name,
            metric_value=float(figure),
            metric_args={"published_by": result.published_by, "stated_in": result.where},
            source_name=result.published_by,
            source_url=spec.code,
        )
        for name, figure in figures.items()
        if figure is not None
    ]


def _dataset(result: ReportedResult) -> tuple[str, str]:
    name = result.dataset.rstrip("+")
    return _DATASETS.get(name, (name, name))
