from __future__ import annotations

import dataclasses

import pytest

from densezoo.families.claims import contradictions
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.flops import CONVENTIONS, count_operations, flops
from densezoo.index.load import get_spec

PLAIN = DenseNetArchitecture(
    stem="cifar", growth_rate=2, num_init_features=4, block_config=(1, 1), bn_size=None, num_classes=5
)


def test_counts_by_hand() -> None:
    """4x4 image: conv 3->4, layer (4->2), transition 6->3 at 4x4, pooled to 2x2, layer (3->2), norm 5, linear 5->5."""
    counts = count_operations(PLAIN, 4)
    convolutions = 16 * 9 * 3 * 4 + 16 * 9 * 4 * 2 + 16 * 6 * 3 + 4 * 9 * 3 * 2
    norms = 16 * 4 + 16 * 6 + 4 * 3 + 4 * 5
    pools = 16 * 3 + 4 * 5
    assert dict(counts) == {"conv": convolutions, "linear": 25, "norm": norms, "pool": pools}
    assert [flops(counts, name) for name in CONVENTIONS] == [
        convolutions + 25,
        convolutions + 25 + 2 * norms,
        convolutions + 3 * norms + pools,
    ]


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
