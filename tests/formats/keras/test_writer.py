from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from computation_interpreter import run
from toy_computation import TOY, toy_weights, window

from densezoo.errors import FormatError
from densezoo.formats.keras.writer import write_keras
from densezoo.types.computation import Attributes, Node


@pytest.mark.filterwarnings("ignore")  # Keras's own
def test_keras_computes_what_the_steps_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    keras: Any = pytest.importorskip("keras")
    write_keras(tmp_path / "m.keras", TOY, toy_weights(), {})
    images = torch.randn(2, 4, 16, 20, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        logits = keras.models.load_model(tmp_path / "m.keras")(images.permute(0, 2, 3, 1)).cpu()
    assert torch.allclose(logits, run(TOY, toy_weights(), images)["l"], atol=1e-5)


ROUNDED: Attributes = {"ceil_mode": True}
DOWN: Attributes = {"ceil_mode": False}


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([Node("lrn", "r", ("c",))], r"a step 'lrn' \(r\) has no writer for Keras"),
        ([Node("max_pool", "m", ("c",), {**window(3, 2, 1), **DOWN})], r"no layer in Keras"),  # zeros above the rest
        ([Node("avg_pool", "m", ("r",), {**window(3, 2, 1), **DOWN})], r"no layer in Keras"),
        ([Node("max_pool", "m", ("r",), {**window(3, 2, 1), **ROUNDED})], r"no layer in Keras"),
        ([Node("max_pool", "m", ("r",), {**window(3, 2, 0), **ROUNDED})], r"no layer in Keras"),
        ([Node("avg_pool", "g", ("j",), {**window(2, 2, 0), **DOWN})], r"another order in Keras"),
    ],
)
def test_a_step_that_it_can_t_write_is_refused(tmp_path: Path, nodes: list[Node], message: str) -> None:
    replaced = {node.name: node for node in nodes}
    changed = tuple(replaced.get(old.name, old) for old in TOY.nodes)
    with pytest.raises(FormatError, match=message):
        write_keras(tmp_path / "m.keras", dataclasses.replace(TOY, nodes=changed), toy_weights(), {})
    assert not list(tmp_path.iterdir())
