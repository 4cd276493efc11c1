"""Results as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.results.corruptions import corruption_errors, mean_corruption_error, mean_error
from densezoo.types import EvalResult, Measurement, RunFacts

_KNOWN_BY = {"first-use-hash": "the hash of their first use", "user": "the user's word"}


def summary(result: EvalResult) -> str:
    """A few lines on a result: model, dataset, protocol, accuracies with their intervals, speed.

    Args:
        result: the result.
    """
    head, *rest = conditions_of(result)
    return "\n".join(
        [
            head,
            *sample_of([result]),
            _line("top-1", result.top1, result.interval95, result.correct1, result.num_samples),
            _line("top-5", result.top5, result.interval95_top5, result.correct5, result.num_samples),
            *rest,
        ]
    )


def conditions_of(result: Measurement) -> list[str]:
    """A line on what was measured, and those on how: speed, backend, a protocol of the user's own.

    Args:
        result: the result.
    """
    return [
        f"{_model(result)} on {result.dataset}, protocol {result.protocol_label}",
        f"  {result.num_samples:,} images in {result.seconds:.1f} s ({result.num_samples / result.seconds:.0f} "
        f"images/s), {result.backend} {result.precision} on {result.device}{_machine(result)}",
        *_difference(result),
        *_own_protocol(result),
    ]


def matrix(results: Sequence[EvalResult]) -> str:
    """A line for each protocol or subset of one checkpoint, and ImageNet-C's means.

    Args:
        results: of the same weights.
    """
    first = results[0]
    names = [result.protocol_label for result in results]
    width = max(map(len, names))
    sets = {result.subset: result for result in results}.values()  # all protocols share images and time
    images, seconds = sum(result.num_samples for result in sets), sum(result.seconds for result in sets)
    return "\n".join(
        [f"{_model(first)} on {first.dataset}, {images:,} images in {seconds:.1f} s", *sample_of(list(sets))]
        + [f"  {name:{width}}  top-1 {r.top1:6.2f} %  top-5 {r.top5:6.2f} %" for name, r in zip(names, results)]
        + _corruption_means(results)
    )


def sample_of(results: Sequence[Measurement]) -> list[str]:
    """A line that says that only a sample of the images was measured, if that is so.

    Args:
        results: one for each set of images.
    """
    if all(result.sampled_from is None for result in results):
        return []
    measured = sum(result.num_samples for result in results)
    of = sum(result.sampled_from or result.num_samples for result in results)
    return [f"  A SAMPLE: {measured:,} of {of:,} images, evenly spaced over the classes; no result of the dataset"]


def _difference(result: RunFacts) -> list[str]:
    """A line on how far the backend was from eager, if that was measured."""
    if result.backend_difference is None:
        return []
    return [f"  {result.backend}'s logits differ from eager's by {result.backend_difference:.1e} of the largest"]


def _own_protocol(result: RunFacts) -> list[str]:
    """A line on a protocol that is none of densezoo's."""
    own = result.own_protocol
    return [f"  {result.protocol} is a protocol of your own, sha256 {own.sha256}"] if own else []


def _machine(result: RunFacts) -> str:
    """The machine in brackets; "" if the result doesn't name it."""
    return f" ({result.machine})" if result.machine else ""


def _model(result: RunFacts) -> str:
    """The model, and how its weights are known if not by a published hash."""
    known_by = result.weights_known_by
    return result.model + (f" (weights known by {_KNOWN_BY[known_by]})" if known_by in _KNOWN_BY else "")


def _corruption_means(results: Sequence[EvalResult]) -> list[str]:
    """A line for each protocol under which all 75 sets of ImageNet-C were measured."""
    lines: list[str] = []
    if any(result.sampled_from is not None for result in results):
        return lines
    for protocol in dict.fromkeys(result.protocol for result in results):
        errors = corruption_errors([result for result in results if result.protocol == protocol])
        mean, relative = mean_error(errors), mean_corruption_error(errors)
        if mean is not None:
            lines.append(f"  {protocol}: mean error {mean:.2f} %, mean corruption error (AlexNet: 100) {relative:.2f}")
    return lines


def _line(name: str, percent: float, interval: tuple[float, float], correct: int, total: int) -> str:
    low, high = interval
    return f"  {name} {percent:6.2f} %  (95 % interval {low:.2f} to {high:.2f})  {correct} of {total} images"
