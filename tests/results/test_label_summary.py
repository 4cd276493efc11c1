from __future__ import annotations

import dataclasses

from examples import example_facts

from densezoo.results.label_summary import areas_summary, label_summary, label_table
from densezoo.types import Coverage, LabelAreas, LabelAuc, LabelResult

LABELS = (
    LabelAuc("cat", 120, 880, 0.8125, (0.7904, 0.8333)),
    LabelAuc("no finding at all, by all four readers", 1000, 0, None, None),
    LabelAuc("eel", 0, 1000, None, None),
)


def example(**values: object) -> LabelResult:
    facts = example_facts()
    common = {field.name: getattr(facts, field.name) for field in dataclasses.fields(facts)}
    measured = {"num_samples": 1000, "labels": LABELS, "mean_auc": 0.8125, "seconds": 10.0}
    return LabelResult(**{**common, **measured, "coverage": Coverage(1000, 1000, (), 0), **values})


def test_a_line_a_label() -> None:
    assert label_summary(example()).splitlines() == [
        "densenet121.tv_in1k on imagenet1k, protocol torchvision",
        "  label                              AUC  95 % interval         with  without",
        "  cat                             0.8125  0.7904 to 0.8333       120      880",
        "  no finding at all, by all f...       -  all images have it   1,000        0",
        "  eel                                  -  no image has it          0    1,000",
        "  mean                            0.8125  over 1 of 3 labels",
        "  1,000 images in 10.0 s (100 images/s), eager float32 on cpu",
    ]
    assert all(len(line) <= 80 for line in label_summary(example()).splitlines())


def test_no_mean_where_no_label_has_an_area() -> None:
    assert [line.split()[0] for line in label_table(LABELS[2:], None)] == ["label", "eel"]


def test_the_areas_of_predicted_pictures_say_how_many_they_are_over() -> None:
    head, *rest = areas_summary(LabelAreas(1000, 0, LABELS, 0.8125)).splitlines()
    assert head == "area under each label's ROC curve, 1,000 pictures"
    assert rest == label_table(LABELS, 0.8125)
    head, *_ = areas_summary(LabelAreas(998, 2, LABELS, 0.8125)).splitlines()
    assert head.endswith(", 998 pictures; 2 that can't be read left out")
    assert areas_summary(LabelAreas(1, 0, LABELS, None)).splitlines()[0].endswith(", 1 picture")
