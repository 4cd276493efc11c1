"""The plot of images a second: what it shows, and that the file carries it."""

from __future__ import annotations

import json
import sys
from io import BytesIO

import pytest
from examples import example_benchmark, unheld_benchmark
from PIL import Image

from densezoo.errors import MissingDependencyError
from densezoo.results.pictures import KEY
from densezoo.results.speed_plots import bars, draw, make_figure


def test_the_plot_carries_the_bars_that_it_shows() -> None:
    shown = bars([example_benchmark(), example_benchmark(model="densenet201")])
    title = "densenet121 at 224 px, avx2, 2 threads, float32"
    assert shown == {title: {"densezoo native": 40.0, "timm": 10.0, "matrix-product ceiling": 29.99}}
    with Image.open(BytesIO(draw(shown))) as image:
        assert json.loads(image.info[KEY]) == shown
        assert image.width == 640


def test_a_program_that_can_t_be_held_to_the_instruction_set_is_marked() -> None:
    held = unheld_benchmark()
    ((title, heights),) = bars([held]).items()
    assert list(heights) == ["densezoo native", "timm", "onnxruntime *", "matrix-product ceiling"]
    figure = make_figure({title: heights})
    assert figure.axes[0].get_xlabel() == "images a second (*: takes the best instruction set of the CPU)"
    assert make_figure({title: {"timm": 1.0}}).axes[0].get_xlabel() == "images a second"


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingDependencyError, match="plots"):
        draw({})
