"""What is published for a model beside what was measured with its weights."""

from __future__ import annotations

from collections.abc import Iterable

from densezoo.results.weights import has_weights_of
from densezoo.types import EvalResult, Figure, ModelSpec


def figures(spec: ModelSpec, results: Iterable[EvalResult]) -> list[Figure]:
    """Every published and every measured accuracy of a model: the published ones in the index's order, then the rest.

    A measurement stands beside the first figure that is published for its dataset and its conditions. One set of a
    dataset of several (ImageNet-C's) is left out.

    Args:
        results: stored ones, of any models; only those of this model's weights are taken.
    """
    measured = {
        (result.dataset, str(result.conditions)): result
        for result in results
        if result.model == spec.name and result.subset is None and has_weights_of(result, spec)
    }
    published = []
    for reported in spec.reported:
        figure = Figure(spec, reported)
        same = measured.pop((str(figure.dataset), str(figure.protocol)), None)
        published.append(Figure(spec, reported, same))
    return published + [Figure(spec, None, result) for result in measured.values()]
