from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from computation_interpreter import run
from toy_computation import TOY, toy_weights

from densezoo.errors import FormatError
from densezoo.formats.onnx.writer import write_onnx
from densezoo.types.computation import Computation, Node


def test_onnxruntime_computes_what_the_steps_say(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    write_onnx(tmp_path / "m.onnx", TOY, toy_weights(), {})
    images = torch.randn(2, 4, 16, 20, generator=torch.Generator().manual_seed(1))
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])
    logits = torch.from_numpy(session.run(None, {"x": images.numpy()})[0])
    assert torch.allclose(logits, run(TOY, toy_weights(), images)["l"], atol=1e-5)


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (Node("lrn", "r", ("c",)), r"a step 'lrn' \(r\) has no writer for ONNX"),
        (
            Node("max_pool", "r", ("c",), {"kernel": (3, 3), "stride": (2, 2), "pads": "same", "ceil_mode": False}),
            r"a step with pads 'same' \(r\)",
        ),
    ],
)
def test_a_step_that_it_can_t_write_is_refused(tmp_path: Path, node: Node, message: str) -> None:
    nodes = tuple(node if old.name == node.name else old for old in TOY.nodes)
    with pytest.raises(FormatError, match=message):
        write_onnx(tmp_path / "m.onnx", dataclasses.replace(TOY, nodes=nodes), toy_weights(), {})
    assert not list(tmp_path.iterdir())


def test_equal_weights_give_equal_files(tmp_path: Path) -> None:
    more = {**toy_weights(), "num_batches_tracked": torch.tensor(1)}
    for name, weights in (("one", toy_weights()), ("two", dict(reversed(more.items())))):
        write_onnx(tmp_path / name, Computation(TOY.name, TOY.nodes), weights, {"facts": 1})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
