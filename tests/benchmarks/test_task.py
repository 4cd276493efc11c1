"""A task crosses to another process as one line."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmark_runs import small_subject

from densezoo.benchmarks.task import Task
from densezoo.errors import EvaluationError


def test_a_task_is_one_line_of_json(tmp_path: Path) -> None:
    task = small_subject(tmp_path).task("densezoo eager", "cpu", "float32", 2)
    assert "\n" not in task.to_json()
    assert Task.from_json(task.to_json()) == task
    assert (task.network.in_chans, task.network.num_classes) == (1, 10)
    assert (task.preprocessing.name, task.image_size, task.folder()) == ("digits", 8, tmp_path)
    with pytest.raises(EvaluationError, match="unknown key 'wieghts'"):
        Task.from_json(task.to_json().replace('"weights"', '"wieghts"'))
