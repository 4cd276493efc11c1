"""The end of a run: records -> measures -> result -> stored."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence

from densezoo.data.contents import VerifiedImages
from densezoo.evaluation import distributed
from densezoo.evaluation.coverage import check_coverage
from densezoo.evaluation.diagnosis import explain_labels
from densezoo.evaluation.metrics import Measures, Records, measure, percent, wilson_interval
from densezoo.evaluation.options import StoreOptions
from densezoo.evaluation.predictions import write_predictions
from densezoo.evaluation.record_log import RecordLog
from densezoo.protocols.own import under
from densezoo.results.store import write_result
from densezoo.types import EvalResult, Protocol, RunFacts


def finish(
    log: RecordLog,
    images: VerifiedImages,
    protocols: Sequence[Protocol],
    num_classes: int,
    facts: RunFacts,
    store: StoreOptions,
    class_names: Sequence[str] = (),
) -> list[EvalResult]:
    """Compute the results, one for each protocol; the main process stores them, then the log is removed.

    Args:
        log: this process's records of every image of its share under each protocol.
        images: the whole set.
        protocols: of the run.
        num_classes: of the network.
        facts: of the run.
        store: where results and predictions are stored.
        class_names: kept with the predictions; empty: the dataset's are meant.
    """
    measures = sum_over_processes(log, num_classes, len(images), len(protocols))
    seconds = round(max(distributed.gather(log.seconds)), 3)
    results = [
        _result(under(facts, protocol), measured, images.ids, seconds)
        for protocol, measured in zip(protocols, measures)
    ]
    if store.predictions:
        parts = _gathered(log)
        if distributed.is_main():
            write_predictions(store.predictions, parts, images.ids, facts, num_classes, class_names)
        for _ in parts:  # the other processes send theirs
            pass
    if store.out and distributed.is_main():
        for result in results:
            write_result(store.out, result)
    distributed.gather(None)  # no state is removed before the results are stored
    log.remove()
    if images.label_sets is None and distributed.is_main() and (reason := explain_labels(measures[0].table)):
        logging.getLogger("densezoo").warning("warning: %s", reason)
    return results


def sum_over_processes(log: RecordLog, num_classes: int, num_images: int, num_protocols: int) -> list[Measures]:
    """The measures of each protocol over the records of all processes.

    Args:
        log: this process's records.
        num_classes: of the network.
        num_images: of the dataset.
        num_protocols: of the run.
    """
    parts = distributed.gather(measure(log, num_classes, num_images, num_protocols))
    summed = parts[0]
    for part in parts[1:]:
        summed = [total + measures for total, measures in zip(summed, part)]
    return summed


def _result(facts: RunFacts, measures: Measures, ids: Sequence[str], seconds: float) -> EvalResult:
    coverage, counts = check_coverage(measures, ids, facts.sampled_from), measures.counts()
    return EvalResult(
        **{field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)},
        num_samples=counts.num_samples,
        correct1=counts.correct1,
        correct5=counts.correct5,
        top1=percent(counts.correct1, counts.num_samples),
        top5=percent(counts.correct5, counts.num_samples),
        interval95=wilson_interval(counts.correct1, counts.num_samples),
        interval95_top5=wilson_interval(counts.correct5, counts.num_samples),
        seconds=seconds,
        coverage=coverage,
        loss=measures.mean_loss(),
        calibration_error=measures.calibration_error(),
    )


def _gathered(log: RecordLog) -> Iterator[Records]:
    """The records of all processes, one step of each process at a time, until no process has more."""
    own = iter(log)
    while parts := [part for part in distributed.gather(next(own, None)) if part is not None]:
        yield from parts
