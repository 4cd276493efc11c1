"""Run a network over a dataset and make results of it: data, backend, evaluation and storing, joined for `api`."""

from __future__ import annotations

import dataclasses
import glob
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from densezoo.backends.eager import EagerBackend
from densezoo.backends.views import sum_over_views
from densezoo.data.contents import VerifiedImages, content_digests, hashed_set, verified
from densezoo.data.decoding import decode
from densezoo.data.images import ImageSet
from densezoo.data.loading import OnError, batches_by_protocol
from densezoo.data.preprocess import to_pixels
from densezoo.data.views import Augmentation
from densezoo.data.workers import lost_workers_named
from densezoo.errors import ConfigError, DensezooError, EvaluationError, ImageError
from densezoo.evaluation import distributed
from densezoo.evaluation.diagnosis import explain_labels
from densezoo.evaluation.evaluator import certify, evaluate, progress, remaining
from densezoo.evaluation.metrics import RECORD, Measures, Records, measure, percent, wilson_interval
from densezoo.evaluation.predictions import check_can_write, write_predictions
from densezoo.evaluation.record_log import Found, RecordLog, check_no_records
from densezoo.evaluation.run_lock import run_lock
from densezoo.files import check_writable
from densezoo.results.store import check_replaces, file_stem, write_result
from densezoo.types import Architecture, Conditions, EvalResult, Protocol

SPARE = 1 << 20  # bytes that have to be free beside the state, for results


@dataclass(frozen=True)
class Loading:
    """How images come.

    Args:
        batch_size: images a step.
        workers: processes that decode.
        on_error: what becomes of images that can't be read.
        augmentation: the views of each image; None: one.
        cache: folder of decoded pixels; None: every image is decoded.
    """

    batch_size: int
    workers: int = 0
    on_error: OnError = "stop"
    augmentation: Augmentation | None = None
    cache: Path | None = None


@dataclass(frozen=True)
class Storing:
    """Where results go.

    Args:
        out: folder of results, and of the state until then; None: nowhere.
        found: what becomes of the state that an interrupted run left there.
        predictions: file for one row an image; None: none.
        show_progress: on stderr.
    """

    out: Path | None = None
    found: Found = "refuse"
    predictions: Path | None = None
    show_progress: bool = False


def results(
    model: nn.Module,
    images: ImageSet,
    protocols: Sequence[Protocol],
    architecture: Architecture,
    device: str,
    about: Mapping[str, Any],
    loading: Loading,
    storing: Storing,
) -> list[EvalResult]:
    """One result a protocol, the same in every process; the main one stores them, then the state is removed.

    Args:
        about: the fields of `EvalResult` that are known beforehand.

    Raises:
        ResultError, EvaluationError: results, state or predictions can't be written; the state of another run.
        ImageError, DatasetError: from the images.
    """
    if storing.predictions and len(protocols) != 1:
        raise ConfigError(f"--predictions takes one protocol, found {len(protocols)}; choose one by --protocol")
    backends = [EagerBackend(model, protocol, device) for protocol in protocols]
    _check_size(backends, images)
    with _state_folder(storing.out, about["dataset"]) as folder:
        check_writable(folder, len(images) * len(protocols) * RECORD.itemsize + SPARE)
        for protocol in protocols if storing.out else ():
            conditions = Conditions.of({**about, "protocol": protocol.name})
            known_by = about.get("weights_known_by")
            check_replaces(folder.parent, about["model"], conditions, about["weights_sha256"], known_by)
        if storing.predictions:
            check_can_write(storing.predictions)
        state = folder / _state_name(protocols, about)
        with run_lock(state.with_suffix(".lock")):
            run = _identity(images, protocols, architecture, about, loading)
            _check_same_run(run)
            if storing.found == "restart" and distributed.is_main():
                _remove_others(state)
            with RecordLog(state, run, storing.found) as log:
                known = hashed(images, storing.show_progress)
                about = {**about, "dataset_fingerprint": known.fingerprint()}
                left = remaining(log, known, distributed.shard(len(known)), len(protocols), loading.on_error)
                with _hint(log, storing, len(images), len(protocols)):
                    _score(backends, known, left, loading, log, storing.show_progress)
                    return _finish(log, known, protocols, architecture, about, storing)


def check_states(out: Path, protocols: Sequence[Protocol], measurements: Sequence[Mapping[str, Any]]) -> None:
    """Refuse the states that interrupted runs of several measurements left, before the first one starts.

    Args:
        measurements: the ``about`` of each.

    Raises:
        EvaluationError: one holds records.
    """
    for about in measurements:
        check_no_records(out / about["dataset"] / _state_name(protocols, about))


def _check_same_run(run: Mapping[str, object]) -> None:
    """Hold what all processes measure against what the first one does.

    Raises:
        EvaluationError: a checkpoint that was replaced while they started, labels or versions that differ by machine.
    """
    runs = distributed.gather(run)
    for other in runs:
        for key in run:
            if key not in ("rank", "device") and other[key] != runs[0][key]:
                raise EvaluationError(
                    f"rank {other['rank']} measures another thing than rank 0: {key} is {other[key]!r}, and "
                    f"{runs[0][key]!r} there; give all of them the same files and options"
                )


def _remove_others(state: Path) -> None:
    """Remove what former runs in more processes left beside a state."""
    stem = state.name[: state.name.rindex(".rank")]
    for path in state.parent.glob(f"{glob.escape(stem)}.rank*.state"):
        if path.name.removesuffix(".state").rpartition("rank")[2] not in map(str, range(distributed.world_size())):
            path.unlink(missing_ok=True)


def _finish(
    log: RecordLog,
    images: VerifiedImages,
    protocols: Sequence[Protocol],
    architecture: Architecture,
    about: Mapping[str, Any],
    storing: Storing,
) -> list[EvalResult]:
    """A whole log's results, stored; the log is removed after them."""
    measured = _measures(log, images, architecture, len(protocols))
    seconds = round(max(distributed.gather(log.seconds)), 3)
    made = [
        _result({**about, "protocol": protocol.name, "seconds": seconds}, found, images)
        for protocol, found in zip(protocols, measured)
    ]
    if storing.predictions:
        facts = {**about, "protocol": protocols[0].name, "num_classes": architecture.num_classes}
        _store_predictions(storing.predictions, log, images, {**facts, "num_images": len(images)})
    if storing.out and distributed.is_main():
        for result in made:
            write_result(storing.out, result)
    distributed.gather(None)  # no state is removed before the results are stored
    log.remove()
    if images.label_sets is None and distributed.is_main() and (reason := explain_labels(measured[0].table)):
        logging.getLogger("densezoo").warning("warning: %s", reason)
    return made


def percentages(
    model: nn.Module, images: ImageSet, protocol: Protocol, architecture: Architecture, device: str, batch_size: int
) -> Mapping[str, float]:
    """{"top1": percent, "top5": percent}, the same in every process; nothing is stored."""
    known = hashed(images)
    with tempfile.TemporaryDirectory() as folder, RecordLog(Path(folder) / "state", {}) as log:
        share = distributed.shard(len(known))
        _score([EagerBackend(model, protocol, device)], known, share, Loading(batch_size), log, False)
        (measured,) = _measures(log, known, architecture, 1)
    return measured.counts().percentages()


def hashed(images: ImageSet, show_progress: bool = False) -> VerifiedImages:
    """The set with the digest of every image; one process makes them for all."""
    if isinstance(images, VerifiedImages):
        return images
    digests = None
    if distributed.is_main():
        with progress("hashing", len(hashed_set(images)), show=show_progress, patience=2.0) as advance:
            digests = content_digests(images, advance)
    made = distributed.gather(digests)[0]
    assert made is not None
    return verified(images, made)


@contextmanager
def _hint(log: RecordLog, storing: Storing, num_images: int, num_protocols: int) -> Iterator[None]:
    """Whatever ends a run that has scored something, the error says what is kept and how to go on."""
    try:
        yield
    except (DensezooError, KeyboardInterrupt) as error:
        scored = log.num_records // num_protocols
        if storing.out and scored and log.path.exists():
            share = len(distributed.shard(num_images))
            when = "" if isinstance(error, KeyboardInterrupt) else "when that is mended, "
            hint = (
                f"{scored:,} of {share:,} images are kept in {log.path}: {when}the same command with --resume goes on"
            )
            error.args = (f"{error}\n{hint}" if str(error) else hint,)
        raise


def _check_size(backends: Sequence[EagerBackend], images: ImageSet) -> None:
    """Run each backend on one image, before anything is written.

    Raises:
        ConfigError: the network can't take images of the size that a protocol gives.
    """
    for shape, backend in {_shape(backend.protocol, images): backend for backend in backends}.items():
        if shape is None:
            continue
        try:
            backend(torch.zeros((1, *shape), dtype=torch.uint8))
        except RuntimeError as error:
            raise ConfigError(
                f"the network can't take an image of {shape[1]} x {shape[2]} px and {shape[0]} channels, as protocol "
                f"{backend.protocol.name} gives it ({str(error).partition(chr(10))[0]}); choose another --protocol or "
                "checkpoint"
            ) from None


def _shape(protocol: Protocol, images: ImageSet) -> tuple[int, int, int] | None:
    """(C, H, W) of the first image that can be read; None: there seems to be none."""
    channels = len(protocol.channel_order)
    if protocol.crop is not None:
        return channels, protocol.crop, protocol.crop
    for index in range(min(len(images), 100)):  # some may be broken, which is for the run to say
        with suppress(ImageError):
            pixels = to_pixels(decode(images.read(index), protocol, images.where(index)), protocol)
            return channels, pixels.shape[1], pixels.shape[2]
    return None


def _identity(
    images: ImageSet,
    protocols: Sequence[Protocol],
    architecture: Architecture,
    about: Mapping[str, Any],
    loading: Loading,
) -> dict[str, object]:
    """All that the records of this process depend on, as JSON values; but the images, of which each record tells."""
    fixed = ("weights_sha256", "dataset", "backend", "precision", "device", "versions")
    return {
        **{key: about[key] for key in fixed},
        "record_bytes": RECORD.itemsize,
        "images_and_labels": images.listing(),
        "tta": about.get("tta"),
        "subset": about.get("subset"),
        "architecture": dataclasses.asdict(architecture),
        "protocols": [dataclasses.asdict(protocol) for protocol in protocols],
        "batch_size": loading.batch_size,
        "rank": distributed.rank(),
        "world_size": distributed.world_size(),
    }


@contextmanager
def _state_folder(out: Path | None, dataset: str) -> Iterator[Path]:
    with nullcontext(out / dataset) if out else tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def _state_name(protocols: Sequence[Protocol], about: Mapping[str, Any]) -> str:
    """Beside the results, hidden: one file a process."""
    which = protocols[0].name if len(protocols) == 1 else "all"
    conditions = Conditions.of({**about, "protocol": which})
    return f".{file_stem(about['model'], conditions)}.rank{distributed.rank()}.state"


def _score(
    backends: Sequence[EagerBackend],
    images: VerifiedImages,
    left: range,
    loading: Loading,
    log: RecordLog,
    show_progress: bool,
) -> None:
    """Score those of this process's images that the log doesn't have."""
    steps = batches_by_protocol(
        images,
        [backend.protocol for backend in backends],
        batch_size=loading.batch_size,
        workers=loading.workers,
        indices=left,
        pin=backends[0].device.type == "cuda",
        on_error=loading.on_error,
        augmentation=loading.augmentation,
        cache_folder=loading.cache,
    )
    show, total = show_progress and distributed.is_main(), len(distributed.shard(len(images)))
    with lost_workers_named(), closing(steps), progress("evaluating", total, total - len(left), show=show) as advance:
        evaluate([partial(sum_over_views, backend) for backend in backends], steps, log, images, advance)


def _measures(log: RecordLog, images: ImageSet, architecture: Architecture, num_protocols: int) -> list[Measures]:
    """Each protocol's, over all processes."""
    parts = distributed.gather(measure(log, architecture.num_classes, len(images), num_protocols))
    summed = parts[0]
    for part in parts[1:]:
        summed = [one + other for one, other in zip(summed, part)]
    return summed


def _result(about: Mapping[str, Any], measures: Measures, images: ImageSet) -> EvalResult:
    coverage, counts = certify(measures, images.ids), measures.counts()
    return EvalResult(
        **about,
        num_samples=counts.num_samples,
        correct1=counts.correct1,
        correct5=counts.correct5,
        top1=percent(counts.correct1, counts.num_samples),
        top5=percent(counts.correct5, counts.num_samples),
        interval95=wilson_interval(counts.correct1, counts.num_samples),
        interval95_top5=wilson_interval(counts.correct5, counts.num_samples),
        coverage=coverage,
        loss=measures.mean_loss(),
        calibration_error=measures.calibration_error(),
    )


def _store_predictions(path: Path, log: RecordLog, images: ImageSet, about: Mapping[str, object]) -> None:
    """All processes send their records in parts; the main one writes them."""
    parts = _gathered(log)
    if distributed.is_main():
        write_predictions(path, parts, images.ids, about)
    else:
        for _ in parts:
            pass


def _gathered(log: RecordLog) -> Iterator[Records]:
    """The records of all processes, a step of each at a time, until nobody has more."""
    own = iter(log)
    while parts := [part for part in distributed.gather(next(own, None)) if part is not None]:
        yield from parts
