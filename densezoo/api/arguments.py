"""The keyword arguments that several public functions hand on, said once, so that a type checker knows them.

What each means stands at the function or class that they are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

if TYPE_CHECKING:
    from densezoo.data.loading import OnError
    from densezoo.protocols.own import Changes


class NetworkArguments(TypedDict, total=False):
    """Of `densezoo.api.image_network.ImageNetwork`."""

    protocol: str | None
    device: str | None
    backend: str
    precision: str
    batch_size: int
    workers: int | None
    overrides: Mapping[str, object] | None
    changes: Changes | None


class ClassifierArguments(NetworkArguments, total=False):
    """Of `densezoo.Classifier`."""

    class_names: str | Path | Sequence[str] | None
    multi_label: bool | None


class AnalysisArguments(TypedDict, total=False):
    """Of `densezoo.api.analysis.analysis`."""

    topk: Sequence[int] | None
    plot: str | Path | None
    confusion: str | Path | None
    class_names: str | Path | Sequence[str] | None
    theme: str


class EvaluationArguments(TypedDict, total=False):
    """Of `densezoo.evaluate_protocols`: fields of the three classes of `densezoo.evaluation.options`."""

    model: str | None
    dataset: str | None
    subset: str | None
    data_root: str | Path | None
    labels: str | Path | None
    class_map: str | Path | None
    batch_size: int
    workers: int | None
    device: str | None
    launcher: str | None
    backend: str
    precision: str
    overrides: Mapping[str, object] | None
    changes: Changes | None
    tta: str | None
    cache: str | Path | None
    on_error: OnError
    calibration: str | Path | None
    limit: int | None
    out: str | Path | None
    resume: bool
    restart: bool
    predictions: str | Path | None
    show_progress: bool
