"""What is published for a model beside what was measured with its weights."""

from __future__ import annotations

from collections.abc import Iterable

from densezoo.results.weights import has_weights_of
from densezoo.types import Accuracy, EvalResult, ModelSpec


def accuracies(spec: ModelSpec, results: Iterable[EvalResult]) -> list[Accuracy]:
    """Every published and every measured accuracy of a model: the published ones in the index's order, then the rest.

    A measurement stands beside the first accuracy that is published for its dataset and its conditions; the others
    follow by dataset and conditions, the usual backend before others. One set of a dataset of several (ImageNet-C's)
    is left out.

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
        accuracy = Accuracy(spec, reported)
        same = measured.pop((str(accuracy.dataset), accuracy.label), None)
        published.append(Accuracy(spec, reported, same))
    return published + [Accuracy(spec, None, measured[conditions]) for conditions in sorted(measured)]
