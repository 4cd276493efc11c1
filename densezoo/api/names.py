"""Refuses unknown names before anything that takes time is imported or read. Imports no torch."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from densezoo import protocols
from densezoo.backends.base import AUTO, check_backend
from densezoo.config import load_config
from densezoo.data.datasets import check_root, get_dataset
from densezoo.data.views import get_augmentation
from densezoo.errors import ConfigError, suggestion
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.types import Experiment

DEVICES = ("cpu", "cuda", "xpu", "mps", "hpu", "npu", "mtia")  # those of torch's that compute


def check_names(
    config: str | Path | None = None,
    checkpoint: str | Path | None = None,
    *,
    overrides: Mapping[str, object] | None = None,
    names: Sequence[str] | None = None,
    dataset: str | None = None,
    tta: str | None = None,
    device: str | None = None,
    backend: str = AUTO,
    precision: str = "float32",
) -> Experiment | None:
    """Refuse what doesn't exist before anything is imported or read that takes time; returns the config's experiment.

    Args:
        config: what is run; None: what the checkpoint says of itself.
        checkpoint: file of weights; None: there is none.
        overrides: {field of the config: value}; None: none.
        names: of protocols; None: the weights' own.
        dataset: its name; None: the config's.
        tta: a test-time augmentation; None: one view of each image.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        backend: what computes the logits.
        precision: one of the backend's.

    Raises:
        UnknownNameError: no such protocol, dataset, test-time augmentation, backend or precision; names the nearest.
        ConfigError: the config can't be read, or was given as the checkpoint; overrides of no config; no such kind of
            device.
    """
    if checkpoint is not None and Path(checkpoint).suffix == ".py":
        if config is not None and Path(config).suffix != ".py":
            raise ConfigError(f"config and checkpoint are swapped: expected {checkpoint} {config}, the config first")
        raise ConfigError(f"{checkpoint}: is a config; a checkpoint goes after it: CONFIG.py CHECKPOINT")
    if overrides and config is None:
        raise ConfigError(
            f"--cfg-options {next(iter(overrides))}: overrides a field of a config, and none is given; give CONFIG.py "
            "CHECKPOINT, or leave the option out"
        )
    experiment = None if config is None else load_config(config, overrides)
    for protocol in names or [experiment.protocol if experiment else ""]:
        if protocol not in ("", "all"):
            protocols.get_protocol(protocol)
    if used := dataset or (experiment.dataset if experiment else ""):
        get_dataset(used)
    get_augmentation(tta)
    check_backend(backend, precision)
    if device is not None:
        _check_device(device)
    return experiment


def _check_device(device: str) -> None:
    kind, _, number = device.partition(":")
    if kind not in DEVICES or (number != "" and not number.isdecimal()):
        known = ", ".join(["cpu", "cuda", *(["mps"] if sys.platform == "darwin" else [])])
        near = suggestion(kind, DEVICES, f"known: {known}")
        raise ConfigError(f"--device {device}: expected such as cpu, cuda or cuda:1{near}")


def check_data(model: str, dataset: str | None, root: Path | None) -> None:
    """Refuse a missing folder of images before the weights of a model are fetched.

    Args:
        model: its name in the index; of what isn't there nothing is known, and nothing is refused.
        dataset: that it is measured on; None: that of its config.
        root: the dataset's folder or tar; None: none was given.

    Raises:
        DatasetError: the dataset needs a folder, and there is none.
    """
    spec = next((spec for spec in load_index().values() if model in (spec.name, *spec.aliases)), None)
    if spec is not None:
        check_root(dataset or load_config(ROOT / spec.config).dataset, root)
