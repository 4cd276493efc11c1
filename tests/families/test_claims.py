from __future__ import annotations

import dataclasses

import pytest
import torch

from densezoo.families import family_of
from densezoo.families.claims import contradictions, num_params
from densezoo.families.flops import CONVENTIONS
from densezoo.index.load import get_spec, load_index


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


@pytest.mark.slow  # 86 networks; in `make test` each family's layers are held to its module over random architectures
def test_the_index_s_parameters_are_the_networks() -> None:
    for name, spec in load_index().items():
        with torch.device("meta"):
            network = family_of(spec.architecture).network(spec.architecture, draw_weights=False)
        counted = sum(parameter.numel() for parameter in network.parameters())
        assert counted == num_params(spec.architecture) == spec.num_params, name
