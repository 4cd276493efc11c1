"""The computation that a file describes, changed in one place."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from densezoo.checkpoints.convert import convert
from densezoo.errors import CheckpointError
from densezoo.formats.read import read_checkpoint

ONNX = Path(__file__).resolve().parents[1] / "fixtures" / "formats" / "onnx" / "small_nofold.onnx"


def test_features_joined_in_another_order_are_refused() -> None:
    """The join of one layer's inputs alone; the block's own join stays as it was."""
    checkpoint = read_checkpoint(ONNX)
    turned = next(node for node in checkpoint.graph if node.op == "concat" and len(node.inputs) == 2)
    graph = tuple(
        dataclasses.replace(node, inputs=node.inputs[::-1]) if node is turned else node for node in checkpoint.graph
    )
    convert(checkpoint)
    with pytest.raises(CheckpointError, match="layer 2 of block 1 to join all before it in order"):
        convert(dataclasses.replace(checkpoint, graph=graph))


@pytest.mark.parametrize(("op", "other"), [("relu", "LeakyRelu"), ("avg_pool", "lp_pool"), ("norm", "InstanceNorm")])
def test_another_step_is_refused(op: str, other: str) -> None:
    checkpoint = read_checkpoint(ONNX)
    changed = [node for node in checkpoint.graph if node.op == op][-1]
    graph = tuple(dataclasses.replace(node, op=other) if node is changed else node for node in checkpoint.graph)
    with pytest.raises(CheckpointError, match=f"found {other}"):
        convert(dataclasses.replace(checkpoint, graph=graph))
