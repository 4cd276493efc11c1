from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from examples import example_facts

from densezoo import schema
from densezoo.errors import ResultError
from densezoo.results.store import read_label_results, read_results, write_result
from densezoo.types import Coverage, EvalResult, LabelAuc, LabelResult


def example(**values: object) -> LabelResult:
    facts = example_facts()
    common = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    labels = (LabelAuc("cat", 2, 3, 0.5, (0.1, 0.9)), LabelAuc("<eel>", 0, 5, None, None))
    measured = {"num_samples": 5, "labels": labels, "mean_auc": 0.5, "seconds": 1.0}
    return LabelResult(**{**common, **measured, "coverage": Coverage(5, 5, (), 0), **values})


def test_stored_apart_and_read_back_it_is_the_same(tmp_path: Path) -> None:
    path = write_result(tmp_path, example())
    assert path == tmp_path / "imagenet1k/multi-label/densenet121.tv_in1k@torchvision.json"
    assert read_label_results(tmp_path) == [example()]
    assert read_results(tmp_path) == []


def test_neither_kind_of_result_is_taken_for_the_other() -> None:
    values = json.loads(json.dumps(dataclasses.asdict(example())))
    with pytest.raises(ResultError, match="unknown key 'labels'"):
        schema.build(EvalResult, values, "r.json", ResultError)
    assert schema.build(LabelResult, values, "r.json", ResultError) == example()


def test_it_is_shown_shortly_and_names_are_escaped() -> None:
    assert repr(example()) == (
        "<LabelResult densenet121.tv_in1k on imagenet1k under torchvision: mean AUC 0.5000 of 2 labels, 5 images>"
    )
    assert "no AUC of 2 labels, 5 of 90 images, a sample" in repr(example(mean_auc=None, sampled_from=90))
    shown = example()._repr_html_()
    assert "&lt;eel&gt;" in shown
    assert "0.5000 (0.1000 to 0.9000), 2 images have it" in shown
