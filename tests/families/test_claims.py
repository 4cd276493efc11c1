from __future__ import annotations

import dataclasses

import pytest

from densezoo.families.claims import contradictions
from densezoo.families.flops import CONVENTIONS
from densezoo.index.load import get_spec


def test_densenet121_by_every_convention() -> None:
    spec = get_spec("densenet121.tv_in1k")
    assert set(spec.flops) == {*CONVENTIONS, "paperswithcode"}
    assert list(contradictions(spec)) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_params": 7_978_857}, "Metadata: Parameters is 7,978,857; configs/densenet121.py builds 7,978,856"),
        (
            {"flops": {"timm": 2_865_496_575}},
            "Metadata: FLOPs: timm is 2,865,496,575; configs/densenet121.py takes 2,865,496,576 at 224 px",
        ),
        ({"flops": {"tim": 1}}, "Metadata: FLOPs: tim: expected one of torchvision, timm, mmpretrain, paperswithcode"),
    ],
)
def test_contradictions_are_named(changes: dict[str, object], message: str) -> None:
    spec = dataclasses.replace(get_spec("densenet121.tv_in1k"), **changes)  # type: ignore[arg-type]
    assert list(contradictions(spec)) == [message]
