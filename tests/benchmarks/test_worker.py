"""A contestant's process: its requests and answers, in this process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmark_runs import small_subject

from densezoo.benchmarks.worker import ANSWERS, Worker, answer


def test_every_request_is_answered(tmp_path: Path) -> None:
    worker = Worker()

    def ask(do: str, **arguments: object) -> object:
        return answer(worker, json.dumps({"do": do, **arguments}))["result"]

    task = small_subject(tmp_path).task("densezoo eager", "cpu", "float32", 1).to_json()
    assert ask("start", task=task) is None
    logits = ask("logits", number=2)
    assert isinstance(logits, list)
    assert [len(row) for row in logits] == [10, 10]
    assert ask("throughput", batch=2, seconds=0.0) > 0  # type: ignore[operator]
    assert len(ask("latency", seconds=0.0, calls=3)) == 3  # type: ignore[arg-type]
    assert ask("memory", device="cpu") > 10**7  # type: ignore[operator]
    trained = ask("training", task=task.replace("densezoo eager", "densezoo"), batch=2, seconds=0.0)
    assert isinstance(trained, tuple)
    assert min(trained) > 0
    assert {name for name in ANSWERS if not hasattr(worker, name)} == set()


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("timm", "builder 'timm' can't express"),
        ("densezoo nativ", "there is no backend 'nativ'; did you mean 'native'?"),
    ],
)
def test_what_a_program_can_t_do_is_an_answer(tmp_path: Path, program: str, message: str) -> None:
    task = small_subject(tmp_path).task(program, "cpu", "float32", 1).to_json()
    found = answer(Worker(), json.dumps({"do": "start", "task": task}))
    assert message in str(found["error"])


def test_another_package_s_error_is_an_answer_too() -> None:
    assert answer(Worker(), '{"do": "throughput", "batch": 1, "seconds": 0}') == {
        "error": "AttributeError: 'Worker' object has no attribute 'program'"
    }
    with pytest.raises(ValueError, match="tuple"):
        answer(Worker(), '{"do": "_pixels"}')
