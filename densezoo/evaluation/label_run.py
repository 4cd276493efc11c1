"""A run of a network of several labels an image: logits -> a record an image -> an area a label -> result, stored."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezoo.data.contents import VerifiedImages
from densezoo.data.loading import Batch
from densezoo.evaluation import distributed
from densezoo.evaluation.coverage import check_coverage
from densezoo.evaluation.evaluator import Logits
from densezoo.evaluation.label_predictions import write_label_predictions
from densezoo.evaluation.metrics import Records, check_finite
from densezoo.evaluation.multi_label import label_areas, mean_area
from densezoo.evaluation.options import StoreOptions
from densezoo.evaluation.record_log import RecordLog
from densezoo.protocols.own import under
from densezoo.results.store import write_result
from densezoo.types import LabelResult, Protocol, RunFacts


def label_record(num_labels: int) -> np.dtype[np.void]:
    """The type of the record of an image under one protocol: its logits, since an area needs all images at once.

    ``content`` and ``truncated`` have the meaning that they have in `densezoo.evaluation.metrics.RECORD`.

    Args:
        num_labels: outputs of the network.
    """
    logits = ("logits", "<f8", (num_labels,))
    return np.dtype([("protocol", "<i2"), ("index", "<i8"), ("content", "<u8"), ("truncated", "?"), logits])


def label_records_of(logits: Sequence[Logits], batches: Sequence[Batch]) -> Records:
    """The records of one step, ordered by protocol and image. All images can be read: another one ends the run.

    Args:
        logits: functions that give those of each batch.
        batches: one for each protocol, of the same images.

    Raises:
        EvaluationError: a logit is NaN or infinite.
    """
    parts = []
    for number, (compute, batch) in enumerate(zip(logits, batches)):
        assert not batch.errors, "no image of a label is counted wrong"
        scores = compute().double().cpu()
        check_finite(scores)
        records = np.zeros(len(batch.indices), label_record(scores.shape[1]))
        records["protocol"], records["index"] = number, batch.indices.numpy()
        records["truncated"], records["logits"] = batch.truncated.numpy(), scores.numpy()
        parts.append(records[np.argsort(records["index"])])
    return np.concatenate(parts)


@dataclass(frozen=True)
class LabelScores:
    """The logits of all images under one protocol.

    Args:
        logits: (images, labels); 0 of an image that wasn't scored.
        times_scored: (images,), how often each was; 1 everywhere in a whole run.
        truncated: indices of images whose end is missing and was filled in.
        unreadable: none.
    """

    logits: NDArray[np.float64]
    times_scored: NDArray[np.int32]
    truncated: Sequence[int]
    unreadable: Sequence[int] = ()


def collect(parts: Iterable[Records], num_images: int, num_labels: int, protocol: int) -> LabelScores:
    """The logits in the order of the images.

    Args:
        parts: the records of all processes.
        num_images: of the set.
        num_labels: outputs of the network.
        protocol: its number among the evaluated protocols.
    """
    logits, times, truncated = np.zeros((num_images, num_labels)), np.zeros(num_images, np.int32), []
    for part in parts:
        own = part[part["protocol"] == protocol]
        np.add.at(times, own["index"], 1)
        logits[own["index"]] = own["logits"]
        truncated += own["index"][own["truncated"]].tolist()
    return LabelScores(logits, times, truncated)


def finish_labels(
    log: RecordLog,
    images: VerifiedImages,
    protocols: Sequence[Protocol],
    names: Sequence[str],
    facts: RunFacts,
    store: StoreOptions,
) -> list[LabelResult]:
    """Compute the results, one for each protocol; the main process stores them, then the log is removed.

    Args:
        log: this process's records of every image of its share under each protocol.
        images: the whole set, with ``label_sets``.
        protocols: of the run.
        names: of the labels, in the order of the logits.
        facts: of the run.
        store: where results and predictions are stored.
    """
    parts = [part for parts in distributed.gather(list(log)) for part in parts]
    seconds = round(max(distributed.gather(log.seconds)), 3)
    scores = [collect(parts, len(images), len(names), number) for number in range(len(protocols))]
    results = [
        _result(under(facts, protocol), each, images, names, seconds) for protocol, each in zip(protocols, scores)
    ]
    if distributed.is_main():
        if store.predictions:
            write_label_predictions(store.predictions, scores[0].logits, images, scores[0].truncated, facts, names)
        for result in results if store.out else ():
            write_result(store.out or "", result)
    distributed.gather(None)  # no state is removed before the results are stored
    log.remove()
    return results


def _result(
    facts: RunFacts, scores: LabelScores, images: VerifiedImages, names: Sequence[str], seconds: float
) -> LabelResult:
    coverage = check_coverage(scores, images.ids, facts.sampled_from)
    labels = label_areas(scores.logits, images.label_sets or (), names)
    return LabelResult(
        **{field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)},
        num_samples=len(images),
        labels=labels,
        mean_auc=mean_area(labels),
        seconds=seconds,
        coverage=coverage,
    )
