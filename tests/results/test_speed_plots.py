"""The plot of images a second: what it shows, and that the file carries it."""

from __future__ import annotations

import json
import sys
from io import BytesIO

import pytest
from examples import example_benchmark
from PIL import Image

from densezoo.errors import MissingDependencyError
from densezoo.results.pictures import KEY
from densezoo.results.speed_plots import bars, draw


def test_the_plot_carries_the_bars_that_it_shows() -> None:
    shown = bars([example_benchmark(), example_benchmark(model="densenet201")])
    title = "densenet121 at 224 px, avx2, 2 threads, float32"
    assert shown == {title: {"densezoo native": 40.0, "timm": 10.0, "matrix-product ceiling": 29.99}}
    with Image.open(BytesIO(draw(shown))) as image:
        assert json.loads(image.info[KEY]) == shown
        assert image.width == 640


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match="plots"):
        draw({})
