"""The state of a run: its folder, its name, the identity of its run, and the message on it after an interruption."""

from __future__ import annotations

import dataclasses
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from densezoo.data.images import ImageSet
from densezoo.errors import DensezooError, EvaluationError
from densezoo.evaluation import distributed
from densezoo.evaluation.metrics import RECORD
from densezoo.evaluation.options import ExistingState
from densezoo.evaluation.record_log import RecordLog, check_no_records
from densezoo.evaluation.run_lock import run_lock
from densezoo.families import architecture_values
from densezoo.files import replaced_by
from densezoo.results.store import file_stem, folder_of
from densezoo.types import Architecture, Protocol, RunFacts


@contextmanager
def state_folder(out: Path | None, dataset: str, kind: type[RunFacts]) -> Iterator[Path]:
    """The folder of a dataset's results and states.

    Args:
        out: folder of results; None: nothing is stored, and a temporary folder is made and removed.
        dataset: its name.
        kind: of results.
    """
    with nullcontext(folder_of(out, dataset, kind)) if out else tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def state_name(facts: RunFacts) -> str:
    """The name of this process's state, a hidden file beside the results.

    Args:
        facts: of the run.
    """
    return f".{file_stem(facts.model, facts.conditions)}.rank{distributed.rank()}.state"


def check_states(out: Path, runs: Sequence[RunFacts]) -> None:
    """Refuse the states that interrupted runs of several measurements left, before the first one starts.

    Args:
        out: folder of results.
        runs: facts of each measurement.

    Raises:
        EvaluationError: a state holds records.
    """
    for facts in runs:
        check_no_records(out / facts.dataset / state_name(facts))


def run_identity(
    images: ImageSet,
    protocols: Sequence[Protocol],
    architecture: Architecture,
    facts: RunFacts,
    batch_size: int,
    record: np.dtype[np.void] = RECORD,
) -> dict[str, object]:
    """All that the records of this process depend on, as JSON values, except the images, whose hashes the records hold.

    Args:
        images: the whole set.
        protocols: of the run.
        architecture: of the network.
        facts: of the run.
        batch_size: images in a step of each process.
        record: type of the record of an image.
    """
    fixed = ("weights_sha256", "dataset", "backend", "precision", "device", "versions")
    return {
        **{name: getattr(facts, name) for name in fixed},
        "record_bytes": record.itemsize,
        "images_and_labels": images.listing(),
        "tta": facts.tta,
        "calibration": facts.calibration and dataclasses.asdict(facts.calibration),
        "subset": facts.subset,
        "architecture": architecture_values(architecture),
        "protocols": [dataclasses.asdict(protocol) for protocol in protocols],
        "batch_size": batch_size,
        "rank": distributed.rank(),
        "world_size": distributed.world_size(),
    }


@contextmanager
def opened(
    folder: Path,
    images: ImageSet,
    protocols: Sequence[Protocol],
    architecture: Architecture,
    facts: RunFacts,
    batch_size: int,
    existing: ExistingState,
    record: np.dtype[np.void] = RECORD,
) -> Iterator[RecordLog]:
    """This process's records of a run, which no other run adds to meanwhile.

    Args:
        folder: of the state; it exists.
        images, protocols, architecture, facts, batch_size, record: what the records are of.
        existing: what becomes of the state that an interrupted run left.

    Raises:
        EvaluationError: another run holds the state, or left it; another process measures another thing.
    """
    run = run_identity(images, protocols, architecture, facts, batch_size, record)
    path = folder / state_name(facts)
    with run_lock(path.with_suffix(".lock")):
        check_same_run(run)
        remove_beginnings(path)
        if existing == "restart" and distributed.is_main():
            remove_other_states(path)
        with RecordLog(path, run, existing, record) as log:
            yield log


def check_same_run(run: Mapping[str, object]) -> None:
    """Refuse a process that measures another thing than the first one.

    Args:
        run: this process's `run_identity`.

    Raises:
        EvaluationError: a checkpoint that was replaced while they started, labels or versions that differ by machine.
    """
    runs = distributed.gather(run)
    for other in runs:
        for key in run:
            if key not in ("rank", "device") and other[key] != runs[0][key]:
                raise EvaluationError(
                    f"rank {other['rank']} measures another thing than rank 0: {key} is {other[key]!r}, and "
                    f"{runs[0][key]!r} there; give all processes the same files and options"
                )


def remove_beginnings(state: Path) -> None:
    """Remove the hidden files that kills left while this state began; no other process writes it now."""
    for path in state.parent.iterdir():
        if replaced_by(path) == state:
            path.unlink(missing_ok=True)


def remove_other_states(state: Path) -> None:
    """Remove what former runs in more processes left beside a state, their beginnings included."""
    name = re.compile(re.escape(state.name[: state.name.rindex(".rank")]) + r"\.rank(\d+)\.state")
    for path in state.parent.iterdir():
        match = name.fullmatch((replaced_by(path) or path).name)
        if match and int(match[1]) >= distributed.world_size():
            path.unlink(missing_ok=True)


@contextmanager
def saying_what_is_kept(log: RecordLog, num_images: int, num_protocols: int) -> Iterator[None]:
    """Add to the error that ends a run how many images are kept and how to go on, if any are.

    Args:
        log: this process's records.
        num_images: of the whole set.
        num_protocols: records of each image.
    """
    try:
        yield
    except (DensezooError, KeyboardInterrupt) as error:
        scored = log.num_records // num_protocols
        if scored and log.path.exists():
            share = len(distributed.shard(num_images))
            when = "" if isinstance(error, KeyboardInterrupt) else "when that is mended, "
            hint = (
                f"{scored:,} of {share:,} images are kept in {log.path}: {when}the same command with --resume goes on"
            )
            error.args = (f"{error}\n{hint}" if str(error) else hint,)
        raise
