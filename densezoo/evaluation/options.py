"""The options of one evaluation: what to load, how to run, where to store. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from densezoo.errors import ConfigError
from densezoo.protocols.own import Changes

if TYPE_CHECKING:
    from densezoo.data.loading import OnError

ExistingState = Literal["refuse", "resume", "restart"]


@dataclass(frozen=True)
class LoadOptions:
    """What is measured.

    Args:
        config: what is run; None: what the checkpoint file says of itself (`densezoo.api.convert_checkpoint` writes it
            there).
        checkpoint: file of weights.
        model: whose weights they are, a name of the index, if no hash says so (`densezoo.index.known.identify`).
        dataset: its name; None: the config's, or the one that the file or its entry in the index names.
        subset: which of a dataset's several sets, such as ImageNet-C's "fog/3"; "all": each of those in data_root, one
            after the other, or of a dataset that is one set that; None: the only one.
        protocols: names; ["all"]: every one of the same kind as the weights' own; None: that one alone.
        data_root: folder, tar or shards of the dataset; built-in datasets need none.
        labels, class_map: where the labels stand, if not in the layout (`densezoo.data.datasets.open_dataset`).
        overrides: of config fields, {"model.bn_eps": 1e-4, ...}.
        changes: of the protocols' fields, which make them protocols of the user's own.
        label_table: CSV of several labels an image (`densezoo.data.layouts.label_table`); None: each has one class.

    Raises:
        ConfigError: a list of no protocol.
    """

    config: Path | None
    checkpoint: Path
    model: str | None = None
    dataset: str | None = None
    subset: str | None = None
    protocols: Sequence[str] | None = None
    data_root: Path | None = None
    labels: Path | None = None
    class_map: Path | None = None
    overrides: Mapping[str, object] = field(default_factory=dict)
    changes: Changes = field(default_factory=Changes)
    label_table: Path | None = None

    def __post_init__(self) -> None:
        if self.protocols is not None and not self.protocols:
            raise ConfigError("no protocol is named; expected at least one, or None: the weights' own")


@dataclass(frozen=True)
class RunOptions:
    """How it is measured.

    Args:
        batch_size: images a step, in each process.
        workers: with a concurrent backend (native) threads, each of which decodes and computes; with the others
            processes that decode. 0: the main thread does all. None: a thread a core, or two processes.
        device: such as "cpu", "cuda:1"; None: the GPU where there is one.
        launcher: what started this process among others: "pytorch", "slurm", "mpi" or "none"; None: what its
            environment says. The images are shared out among all of them, and each returns the whole result.
        backend: what computes the logits, a name of `densezoo.backends.base.BACKENDS`; "auto": densezoo's own kernels
            wherever they compute this network exactly, otherwise eager.
        precision: one of the backend's.
        tta: test-time augmentation, a name of `densezoo.data.views`; None: one view of each image.
        cache: folder where decoded pixels are stored for further runs; None: they are not stored.
        on_error: an image that can't be read ends the run ("stop"), or is counted wrong and listed ("count-wrong").
        calibration: root of the dataset's training images, which precision int8 needs; None: none.
        limit: measure a sample of that many images, evenly spaced over the classes (`densezoo.data.sampling`); nothing
            is stored then. None: all images.

    Raises:
        ConfigError: a number that is too small.
    """

    batch_size: int = 64
    workers: int | None = None
    device: str | None = None
    launcher: str | None = None
    backend: str = "auto"
    precision: str = "float32"
    tta: str | None = None
    cache: Path | None = None
    on_error: OnError = "stop"
    calibration: Path | None = None
    limit: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("batch_size", 1), ("workers", 0), ("limit", 1)):
            number = getattr(self, name)
            if number is not None and number < least:
                raise ConfigError(f"{name} is {number}; expected a number of at least {least}")


@dataclass(frozen=True)
class StoreOptions:
    """Where results are stored.

    Args:
        out: folder of results, and of the state until then; None: nowhere.
        existing: what becomes of the state that an interrupted run left there: "resume" goes on from it (of several
            subsets, those whose results are stored already are not measured again), "restart" drops it, "refuse" makes
            one that holds records an error.
        predictions: parquet file for one row an image (`densezoo.evaluation.predictions`), under one protocol; None:
            none.
        show_progress: on stderr.
    """

    out: Path | None = None
    existing: ExistingState = "refuse"
    predictions: Path | None = None
    show_progress: bool = False
