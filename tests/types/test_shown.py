"""How nouns look in notebooks and consoles: short, and with strangers' text escaped."""

from __future__ import annotations

import dataclasses

from examples import example_result

from densezoo.index.load import get_spec, load_index
from densezoo.types import Answer, ConversionReport, Figure, Prediction, ReportedResult, WeightSource
from densezoo.types.shown import as_html, listed, percent

HOSTILE = '<script>alert("1")</script>'


def test_a_table_is_escaped_and_has_no_empty_row() -> None:
    html = as_html(HOSTILE, {HOSTILE: HOSTILE, "none": None, "empty": "", "zero": 0})
    assert "<script" not in html
    assert html.count("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;") == 3
    assert html.count("<tr>") == 2
    assert ">zero</th>" in html


def test_lists_and_percentages() -> None:
    assert listed(range(3)) == "0, 1, 2"
    assert listed(range(9)) == "0, 1, 2, 3, 4, ... (9 in all)"
    assert (percent(74.434), percent(Figure("75.0")), percent(None)) == ("74.43 %", "75.0 %", "")


def test_a_spec() -> None:
    spec = get_spec("densenet121.tv_in1k")
    assert repr(spec).startswith("<ModelSpec densenet121.tv_in1k: 7,978,856 parameters, protocol torchvision, ")
    assert len(repr(spec)) < 120
    html = spec._repr_html_()
    assert "74.434 % on imagenet1k under torchvision" in html
    hostile = dataclasses.replace(spec, name=HOSTILE, license=HOSTILE, aliases=(HOSTILE,), publisher=HOSTILE)
    assert "<script" not in hostile._repr_html_()
    assert hostile._repr_html_().count("&lt;script") == 5  # the architecture is a part of the name


def test_what_a_spec_has() -> None:
    spec = get_spec("densenet121.tv_in1k")
    assert repr(spec.headline) == (
        "<ReportedResult top-1 74.434 %, top-5 91.972 % on imagenet1k under torchvision, by torchvision>"
    )
    assert repr(ReportedResult("x", None, None, 0.0, "p", "w", tta="flip")) == (
        "<ReportedResult top-5 0.00 % on x under an unknown protocol with flip, by p>"
    )
    assert repr(spec.weights[0]) == "<WeightSource densenet121-a639ec97.pth: torch (pickle), 32.3 MB>"
    gone = WeightSource("torch7", "t7", withdrawn="since 2020", not_loadable="it is encrypted")
    assert repr(gone) == "<WeightSource no place: torch7 (t7), withdrawn, not loadable>"
    assert max(len(repr(each)) for spec in load_index().values() for each in (*spec.weights, *spec.reported)) < 200


def test_a_result() -> None:
    result = example_result(protocol=HOSTILE, loss=1.25)
    assert repr(example_result()) == (
        "<EvalResult densenet121.tv_in1k on imagenet1k under torchvision: top-1 74.43 % of 50,000 images>"
    )
    html = result._repr_html_()
    assert "74.43 % (95 % interval 74.05 to 74.81), 37,217 images" in html
    assert "1.2500 nats" in html
    assert "<script" not in html


def test_a_conversion_report_and_a_prediction() -> None:
    arch = get_spec("densenet121.tv_in1k").architecture
    report = ConversionReport("torchvision", "zip", arch, 727, {}, missing=(HOSTILE,))
    assert repr(report) == "<ConversionReport torchvision names in a zip file: 727 tensors, not exact>"
    assert "&lt;script" in report._repr_html_()
    prediction = Prediction("a.png", (Answer(1, HOSTILE, 0.75), Answer(0, "cat", 0.25)))
    assert "75.00 %  &lt;script" in prediction._repr_html_()
    assert "can&#x27;t" in Prediction("a.png", (), error="can't be read")._repr_html_()
