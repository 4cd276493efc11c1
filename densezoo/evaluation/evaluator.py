"""The evaluation loop of densezoo test and of training: it appends each step's records to the log."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from typing import TypeAlias, TypeVar

import numpy as np
from torch import Tensor

from densezoo.data.contents import VerifiedImages
from densezoo.data.loading import Batch, OnError
from densezoo.errors import EvaluationError
from densezoo.evaluation.metrics import UNREADABLE, Records, counted_wrong, score
from densezoo.evaluation.record_log import RecordLog

Logits = Callable[[], Tensor]  # gives the logits (N, num_classes) of a batch
Begin = Callable[[Tensor], Logits]
Made = TypeVar("Made")  # what is made of the logits of a few images: records, predictions
#: (for each protocol a function that gives the logits of its batch's readable images, the batches) -> what is made.
Make: TypeAlias = Callable[[Sequence[Logits], Sequence[Batch]], Made]
ANEW = "start anew with --restart"


def remaining(
    log: RecordLog, images: VerifiedImages, shard: range, num_protocols: int = 1, on_error: OnError = "stop"
) -> range:
    """The images of this process's share that the log doesn't have yet.

    Args:
        log: this process's records.
        images: the whole set.
        shard: indices of this process's images.
        num_protocols: records of each image.
        on_error: "stop": an image that was counted wrong is an error.

    Raises:
        EvaluationError: the log holds other images than the first of the share, an image that has changed since, or
            one that couldn't be read if ``on_error`` is "stop".
    """
    done, position, contents = log.num_records // num_protocols, 0, images.short_digests()
    for part in log:
        first = part[part["protocol"] == 0]
        expected = np.array(shard[position : position + len(first)])
        position += len(first)
        if not np.array_equal(first["index"], expected):
            raise EvaluationError(f"{log.path}: holds other images than this run scores; {ANEW}")
        changed = first["index"][first["content"] != contents[first["index"]]].tolist()
        if changed:
            raise EvaluationError(f"{images.location_of(changed[0])}: has changed since it was scored; {ANEW}")
        ranks = part["rank"] if "rank" in (part.dtype.names or ()) else np.zeros(len(part))  # those of labels have none
        broken = part["index"][ranks == UNREADABLE].tolist()
        if broken and on_error == "stop":
            raise EvaluationError(
                f"{images.location_of(broken[0])}: can't be read and was counted wrong; go on with --on-error "
                f"count-wrong, or replace the file and {ANEW}"
            )
    return shard[done:]


def computed(
    backends: Sequence[Begin], steps: Generator[Sequence[Batch]], make: Make[Made], ahead: int = 0
) -> Generator[Made]:
    """What is made of every step.

    Args:
        backends: one for each protocol: pixels (N, C, H, W) -> a function that gives their logits (N, num_classes).
        steps: one batch for each protocol, of the same images; closed with this generator.
        make: takes the logits and the batches of a step.
        ahead: steps that are begun before the logits of one are waited for.
    """
    begun: deque[tuple[list[Logits], Sequence[Batch]]] = deque()
    with closing(steps):
        for batches in steps:
            begun.append(([_begin(*pair) for pair in zip(backends, batches)], batches))
            if len(begun) > ahead:
                yield make(*begun.popleft())
        while begun:
            yield make(*begun.popleft())


def _begin(backend: Begin, batch: Batch) -> Logits:
    return backend(batch.pixels) if len(batch.pixels) else lambda: batch.pixels


def records_of(logits: Sequence[Logits], batches: Sequence[Batch], classes: Sequence[int] | None) -> Records:
    """The records of one step, ordered by protocol and image.

    Args:
        logits: functions that give those of each batch.
        batches: one for each protocol, of the same images.
        classes: the only ones that count as answers; None: all.

    Raises:
        EvaluationError: NaN or infinite logits.
    """
    return np.concatenate([_records(*pair, number, classes) for number, pair in enumerate(zip(logits, batches))])


def log_steps(
    steps: Iterable[Records],
    log: RecordLog,
    images: VerifiedImages,
    advance: Callable[[int], None] = lambda _: None,
) -> None:
    """Log the records of every step.

    Args:
        steps: records of the same images under each protocol.
        log: takes the records.
        images: the whole set.
        advance: is called with the number of further images that are scored.

    Raises:
        EvaluationError: the log can't be written.
    """
    contents = images.short_digests()
    start = time.perf_counter()
    for records in steps:
        records["content"] = contents[records["index"]]
        now = time.perf_counter()
        log.append(records, now - start)
        start = now
        advance(int((records["protocol"] == 0).sum()))


def _records(logits: Logits, batch: Batch, protocol: int, classes: Sequence[int] | None) -> Records:
    """The records of a batch in the order of the images, with those of images that can't be read."""
    wrong = batch.unreadable
    records = counted_wrong(batch.indices[wrong], batch.labels[wrong], protocol)
    if len(batch.pixels):
        scored = score(logits(), batch.labels[~wrong], batch.indices[~wrong], protocol, classes)
        scored["truncated"] = batch.truncated[~wrong].numpy()
        records = np.concatenate([scored, records])
    return records[np.argsort(records["index"])]
