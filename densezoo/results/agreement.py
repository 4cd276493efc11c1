"""Compares a measured top-1 with the published one, and names what was done otherwise if they can't be compared.

The rule: a measured number agrees with a published figure if it rounds to it, at the most decimals that the publisher
gives for the model (75.6 beside a top-5 of 92.806 is 75.600). One image in ROUNDING_SHARE may differ, because every
device sums float32 in another order; nothing else may. Only a figure for the same weights, protocol, precision and
number of images is compared; for any other the differences are named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from densezoo.errors import ResultError
from densezoo.index.listing import shown
from densezoo.protocols import PROTOCOLS
from densezoo.results.weights import has_weights_of
from densezoo.types import EvalResult, ModelSpec, OwnProtocol, ReportedResult

ROUNDING_SHARE = 10_000  # images, of which one may be scored otherwise
RULE = "the same figure at its published precision, give or take 1 image in 10,000 for float rounding"

#: {dataset: images that published figures are over}.
TEST_IMAGES = {
    "imagenet1k": 50_000,
    "imagenet-real": 46_837,  # those that have a label
    "imagenetv2-matched-frequency": 10_000,
    "imagenet-sketch": 50_889,
    "imagenet-a": 7_500,
    "imagenet-r": 30_000,
    "cifar10": 10_000,
    "cifar100": 10_000,
    "svhn": 26_032,
}


@dataclass(frozen=True)
class Published:
    """A published figure and the model that it is claimed for.

    Args:
        spec: the model.
        reported: the figure.
        top1: its top-1, percent.
    """

    spec: ModelSpec
    reported: ReportedResult
    top1: float

    def __str__(self) -> str:
        by = f"by {self.reported.published_by} for {self.spec.name}, protocol {self.reported.protocol}"
        return f"{shown(self.top1)} {by}"


@dataclass(frozen=True)
class Agreement:
    """A measurement compared with the published figure whose conditions are most like its own.

    Args:
        nearest: the figure; None: nothing is published for this network on this dataset.
        differences: between the conditions: {fact: "theirs, here ours"}.
        images_apart: difference, in images, between the measured number and the nearest that rounds to the figure.
        agrees: None: the conditions differ, so that the numbers needn't be equal.
    """

    nearest: Published | None
    differences: Mapping[str, str]
    images_apart: float
    agrees: bool | None

    def __str__(self) -> str:
        """One line with the verdict, and one line for each difference."""
        if self.nearest is None:
            return "  published: nothing for this network on this dataset"
        if self.agrees is None:
            lines = [f"  published: nothing under these conditions; nearest: {self.nearest}; it differs in"]
            return "\n".join(lines + [f"    {fact}: {text}" for fact, text in self.differences.items()])
        verdict = f"agrees ({RULE})" if self.agrees else f"DISAGREES by {self.images_apart:.0f} images ({RULE})"
        return f"  published: {self.nearest}: {verdict}"

    def briefly(self) -> str:
        """The verdict in a few words."""
        if self.nearest is None:
            return "nothing published"
        figure = f"{shown(self.nearest.top1)} ({self.nearest.reported.published_by})"
        if self.agrees is None:
            return f"not comparable with {figure}: other {', '.join(self.differences)}"
        return f"agrees with {figure}" if self.agrees else f"DISAGREES with {figure} by {self.images_apart:.0f} images"


def _weights(result: EvalResult, published: Published) -> tuple[str, str]:
    if has_weights_of(result, published.spec):
        return "", ""
    sources = published.spec.weights
    hashes = [stated for source in sources for stated in source.stated_hashes]
    theirs = f"{hashes[0].algorithm} {hashes[0].digits[:8]}..." if hashes else "of unknown sha256"
    return f"{published.spec.name}, {theirs}", f"sha256 {result.weights_sha256[:8]}..."


def _crop(protocol: str | None, own: OwnProtocol | None = None) -> str:
    crop = own.fields.get("crop") if own else PROTOCOLS[protocol].crop if protocol in PROTOCOLS else None
    return f"{crop} px" if crop else "as it is"


#: {fact: (result, published) -> (theirs, ours)}; the nearest figure is the one with the fewest differences.
FACTS: dict[str, Callable[[EvalResult, Published], tuple[object, object]]] = {
    "weights": _weights,
    "protocol": lambda result, published: (published.reported.protocol, result.protocol),
    "image size": lambda result, published: (
        _crop(published.reported.protocol),
        _crop(result.protocol, result.own_protocol),
    ),
    "number of images": lambda result, _: (
        TEST_IMAGES.get(result.dataset, result.sampled_from or result.num_samples),
        result.num_samples,
    ),
    "precision": lambda result, _: ("float32", result.precision),
    "test-time augmentation": lambda result, published: (published.reported.tta or "none", result.tta or "none"),
    "subset": lambda result, _: ("the whole dataset", result.subset or "the whole dataset"),
}


def compare_with_published(result: EvalResult, specs: Iterable[ModelSpec]) -> Agreement:
    """Compare a measurement with the figures that are published for its weights, or else for the same network.

    Args:
        result: the measurement.
        specs: the models of the index.
    """
    candidates = _candidates(result, list(specs))
    if not candidates:
        return Agreement(None, {}, 0.0, None)

    def distance(published: Published) -> tuple[int, float]:
        return len(_differences(result, published)), abs(published.top1 - result.top1)

    nearest = min(candidates, key=distance)
    differences, apart = _differences(result, nearest), _images_apart(result, nearest)
    agrees = None if differences else apart <= result.num_samples / ROUNDING_SHARE
    return Agreement(nearest, differences, apart, agrees)


def check_expected(results: Sequence[EvalResult], top1: float, tolerance: float) -> None:
    """Compare every result with an expected top-1.

    Args:
        results: of one checkpoint.
        top1, tolerance: percent.

    Raises:
        ResultError: a result differs by more than the tolerance.
    """
    outside = [r for r in results if not abs(r.top1 - top1) <= tolerance + 1e-9]  # 1e-9: 94.54 - 94.52 > 0.02 in floats
    if outside:
        measured = ", ".join(f"{r.top1:.4f} under {r.protocol} ({r.correct1} of {r.num_samples})" for r in outside)
        raise ResultError(f"expected a top-1 of {top1:g} within {tolerance:g}; found {measured}")


def _candidates(result: EvalResult, specs: Sequence[ModelSpec]) -> list[Published]:
    """The figures on the result's dataset for every model with the network that was measured."""
    own = next((spec for spec in specs if has_weights_of(result, spec)), None)

    def is_same_network(spec: ModelSpec) -> bool:
        return spec.config == result.config or (own is not None and spec.arch == own.arch)

    return [
        Published(spec, reported, reported.top1)
        for spec in specs
        if is_same_network(spec)
        for reported in spec.reported
        if reported.dataset.rstrip("+") == result.dataset  # the plus names the training data
        and reported.top1 is not None
        and reported.protocol is not None
    ]


def _differences(result: EvalResult, published: Published) -> dict[str, str]:
    pairs = {fact: values(result, published) for fact, values in FACTS.items()}
    return {fact: f"{theirs}, here {ours}" for fact, (theirs, ours) in pairs.items() if theirs != ours}


def _images_apart(result: EvalResult, published: Published) -> float:
    """Images between the measured count and the nearest one that rounds to the published figure; 0 inside."""
    half_unit = 0.5 * 10.0 ** -_decimals(published)
    beyond = abs(result.top1 - published.top1) - half_unit
    return max(0.0, round(beyond * result.num_samples / 100, 6))


def _decimals(published: Published) -> int:
    """The most decimals that this publisher gives for the model: some tables drop zeros at the end of a number."""
    figures = [r for r in published.spec.reported if r.published_by == published.reported.published_by]
    numbers = [value for r in figures for value in (r.top1, r.top5) if value is not None]
    return max(len(str(value).partition(".")[2]) for value in numbers)
