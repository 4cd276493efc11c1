"""One whole evaluation: plan -> images -> backends -> records -> results.

The plan has all that is decided before, the network included; `finish` makes results of the records.
"""

from __future__ import annotations

import dataclasses
import itertools
import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic

import numpy as np
from torch import nn

from densezoo.backends.base import EAGER, Backend, create_backend
from densezoo.data.contents import VerifiedImages
from densezoo.data.images import ImageSet
from densezoo.data.views import get_augmentation
from densezoo.data.workers import lost_workers_named
from densezoo.errors import ConfigError
from densezoo.evaluation import distributed, state
from densezoo.evaluation.choice import create_backends, first_pixels
from densezoo.evaluation.evaluator import Make, log_steps, records_of, remaining
from densezoo.evaluation.finish import finish, sum_over_processes
from densezoo.evaluation.hashing import hashed
from densezoo.evaluation.label_run import finish_labels, label_record, label_records_of
from densezoo.evaluation.metrics import RECORD, Records
from densezoo.evaluation.multi_label import check_measurable
from densezoo.evaluation.options import RunOptions, StoreOptions
from densezoo.evaluation.predictions import check_can_write
from densezoo.evaluation.progress import progress
from densezoo.evaluation.record_log import RecordLog
from densezoo.evaluation.stream import stream
from densezoo.files import check_writable
from densezoo.protocols.own import under
from densezoo.results.store import Result, check_replaces, find_same, read_results
from densezoo.types import Architecture, EvalResult, LabelResult, Protocol, RunFacts

SPARE = 1 << 20  # bytes that must be free for results, beside those for the state


@dataclass(frozen=True)
class Plan:
    """What one evaluation does, decided before an image is read.

    Args:
        network: images (N, C, H, W), normalised -> logits.
        architecture: of the network, as the config has it.
        protocols: each image is scored under all of them.
        subsets: of the dataset; they are measured one after the other; (None,): the dataset is one set.
        open_images: subset -> its images.
        facts: of the run over the first subset.
        options: how it is measured; the device is chosen.
        training_images: that the backend is calibrated on; None: it needs none.
        labels: names of the network's labels, of which an image may have several; None: each image has one class.
        class_names: that the file of weights states, kept with the predictions; empty: it states none.
    """

    network: nn.Module
    architecture: Architecture
    protocols: Sequence[Protocol]
    subsets: Sequence[str | None]
    open_images: Callable[[str | None], ImageSet]
    facts: RunFacts
    options: RunOptions
    training_images: ImageSet | None = None
    labels: Sequence[str] | None = None
    class_names: Sequence[str] = ()


@dataclass(frozen=True)
class Scoring(Generic[Result]):
    """What is made of an image's logits, and of all images' in the end.

    Args:
        kind: of the results.
        record: type of the record of an image.
        make: images -> the function that makes records of a step's logits.
        finish: (this process's records, the images, the facts) -> the results, one for each protocol, stored.
    """

    kind: type[Result]
    record: np.dtype[np.void]
    make: Callable[[ImageSet], Make[Records]]
    finish: Callable[[RecordLog, VerifiedImages, RunFacts], list[Result]]


def run(plan: Plan, store: StoreOptions) -> list[EvalResult]:
    """Measure: one result for each subset and protocol, the same in every process; the main process stores them.

    If several subsets are resumed, those whose results are stored are not measured again.

    Args:
        plan: of the evaluation.
        store: where results are stored.

    Raises:
        ConfigError: predictions of several subsets or protocols; images that the network can't take.
        ResultError, EvaluationError: results, state or predictions can't be written; the state of another run.
        ImageError, DatasetError: from the images.
    """
    if plan.options.limit is not None:
        store = dataclasses.replace(store, out=None)
    several = len(plan.subsets) > 1
    if store.predictions and several:
        raise ConfigError(f"--predictions takes one subset, found {len(plan.subsets)}; choose one by --subset")
    image_sets = map(plan.open_images, plan.subsets)
    first = next(image_sets)
    if store.out and several and store.existing == "refuse":
        runs = [dataclasses.replace(plan.facts, subset=subset) for subset in plan.subsets]
        state.check_states(store.out, runs)
    scoring = Scoring(
        EvalResult,
        RECORD,
        lambda images: partial(records_of, classes=images.classes),
        lambda log, images, facts: finish(
            log, images, plan.protocols, plan.architecture.num_classes, facts, store, plan.class_names
        ),
    )
    stored = read_results(store.out) if store.out and several and store.existing == "resume" else []
    results: list[EvalResult] = []
    for images in itertools.chain([first], image_sets):
        facts = dataclasses.replace(plan.facts, subset=images.subset, sampled_from=images.sampled_from)
        if stored:
            images = hashed(images, store.show_progress)
            hashed_facts = dataclasses.replace(facts, dataset_fingerprint=images.fingerprint())
            same = [find_same(stored, under(hashed_facts, protocol)) for protocol in plan.protocols]
            if None not in same:
                results += [result for result in same if result]
                continue
        results += _run_set(plan, images, facts, store, scoring)
    return results


def run_labels(plan: Plan, store: StoreOptions) -> list[LabelResult]:
    """Measure the area under each label's ROC curve: one result for each protocol.

    Args:
        plan: of the evaluation, with labels.
        store: where results are stored.

    Raises:
        DatasetError: no label tells the images apart.
        ConfigError: predictions of several protocols; images that the network can't take.
        ResultError, EvaluationError: results, state or predictions can't be written; the state of another run.
        ImageError: an image can't be read.
    """
    assert plan.labels is not None
    names = plan.labels
    if plan.options.limit is not None:
        store = dataclasses.replace(store, out=None)
    images = plan.open_images(None)
    check_measurable(images, names)
    scoring = Scoring(
        LabelResult,
        label_record(len(names)),
        lambda _: label_records_of,
        lambda log, images, facts: finish_labels(log, images, plan.protocols, names, facts, store),
    )
    facts = dataclasses.replace(plan.facts, subset=None, sampled_from=images.sampled_from)
    return _run_set(plan, images, facts, store, scoring)


def _run_set(
    plan: Plan, images: ImageSet, facts: RunFacts, store: StoreOptions, scoring: Scoring[Result]
) -> list[Result]:
    """Measure one set of images: one result for each protocol, stored; then the state is removed."""
    protocols, options = plan.protocols, plan.options
    if store.predictions and len(protocols) != 1:
        raise ConfigError(f"--predictions takes one protocol, found {len(protocols)}; choose one by --protocol")
    _check_gpu_decoding(protocols, options, facts.device)
    pixels = first_pixels(images, protocols, get_augmentation(options.tta))
    backends, facts = create_backends(plan.network, plan.architecture, protocols, facts, pixels, plan.training_images)
    with state.state_folder(store.out, facts.dataset, scoring.kind) as folder:
        check_writable(folder, len(images) * len(protocols) * scoring.record.itemsize + SPARE)
        for protocol in protocols if store.out else ():
            check_replaces(store.out or folder, under(facts, protocol), scoring.kind)
        if store.predictions:
            check_can_write(store.predictions)
        identity = (images, protocols, plan.architecture, facts, options.batch_size)
        with state.opened(folder, *identity, store.existing, scoring.record) as log:
            known = hashed(images, store.show_progress)
            facts = dataclasses.replace(facts, dataset_fingerprint=known.fingerprint())
            left = remaining(log, known, distributed.shard(len(known)), len(protocols), options.on_error)
            with state.saying_what_is_kept(log, len(images), len(protocols)) if store.out else nullcontext():
                _score(backends, known, left, options, log, store.show_progress, scoring.make(known))
                return scoring.finish(log, known, facts)


def percentages(
    model: nn.Module, images: ImageSet, protocol: Protocol, architecture: Architecture, device: str, batch_size: int
) -> Mapping[str, float]:
    """{"top1": percent, "top5": percent}, the same in every process; nothing is stored.

    Args:
        model: images (N, C, H, W), normalised -> logits.
        images: the set that is measured.
        protocol: of the images.
        architecture: of the model.
        device: "cpu", "cuda", ...
        batch_size: images in a step of each process.
    """
    verified_images = hashed(images)
    with tempfile.TemporaryDirectory() as folder, RecordLog(Path(folder) / "state", {}) as log:
        share, options = distributed.shard(len(verified_images)), RunOptions(batch_size, workers=0)
        backend = create_backend(EAGER, model, architecture, protocol, device, "float32")
        make = partial(records_of, classes=verified_images.classes)
        _score([backend], verified_images, share, options, log, False, make)
        (measures,) = sum_over_processes(log, architecture.num_classes, len(verified_images), 1)
    return measures.counts().percentages()


def _scored(
    backends: Sequence[Backend], images: VerifiedImages, unscored: range, options: RunOptions, make: Make[Records]
) -> Generator[Records]:
    """The records of every step, ordered by protocol and image."""
    with closing(stream(backends, images, unscored, options, make)) as steps:
        for parts in steps:
            records = np.concatenate(parts)
            yield records[np.argsort(records["protocol"], kind="stable")]


def _check_gpu_decoding(protocols: Sequence[Protocol], options: RunOptions, device: str) -> None:
    """Refuse what protocols that decode on a GPU can't be combined with.

    Raises:
        ConfigError: says what to give instead.
    """
    on_gpu = [protocol.decoder == "nvjpeg" for protocol in protocols]
    if any(on_gpu) and (options.tta or options.cache or not device.startswith("cuda") or not all(on_gpu)):
        name = protocols[on_gpu.index(True)].name
        raise ConfigError(
            f"protocol {name} decodes on a GPU, one view of an image, and keeps no pixels: give --device cuda, no "
            "--tta and no other protocol beside it; or another protocol"
        )


def _score(
    backends: Sequence[Backend],
    images: VerifiedImages,
    unscored: range,
    options: RunOptions,
    log: RecordLog,
    show_progress: bool,
    make: Make[Records],
) -> None:
    """Score this process's images that the log doesn't have yet."""
    steps = _scored(backends, images, unscored, options, make)
    show, total = show_progress and distributed.is_main(), len(distributed.shard(len(images)))
    done = total - len(unscored)
    with lost_workers_named(), closing(steps), progress("evaluating", total, done, show=show) as advance:
        log_steps(steps, log, images, advance)
