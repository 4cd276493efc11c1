"""The names of the index's models."""

from __future__ import annotations

import densezoo
from densezoo.api.index import find_models


def test_listing_with_a_filter() -> None:
    names = densezoo.list_models("densenet*", where="top1 > 76 and params < 10e6", sort="-top1")
    assert "densenet121.ra_in1k" in names
    figures = [spec.headline.top1 or 0 for spec in map(densezoo.get_spec, names) if spec.headline]
    assert figures == sorted(figures, reverse=True)


def test_names_alone_are_those_that_are_found() -> None:
    for pattern in ("*", "densenet121", "DenseNet-BC (100, 12)", "*caffe*"):
        names = densezoo.list_models(pattern)
        assert names == [accuracy.spec.name for accuracy in find_models(pattern)]
        assert names
