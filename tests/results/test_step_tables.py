"""The table of first steps: a row a config, with the median of its steps."""

from __future__ import annotations

import dataclasses

from examples import example_benchmark

from densezoo.results.step_tables import steps_table
from densezoo.types import Contestant


def test_a_row_says_time_memory_and_losses() -> None:
    taken = Contestant(
        name="densezoo",
        precision="bf16",
        instruction_set="the best",
        rates={"64": (32.0, 16.0, 64.0, 32.0, 32.0, 32.0)},
        losses=(9.0, 5.0, 4.0, 3.0, 2.0, 1.0),
        peak_memory=2**30,
        note="noise, train.batch_size=64",
    )
    benchmark = dataclasses.replace(
        example_benchmark(), what="steps", model="b", contestants=(taken,), commit="0123456789"
    )
    lines = steps_table([benchmark, dataclasses.replace(benchmark, model="a")]).splitlines()
    assert lines[2].startswith("| `a` |")
    row = "| `b` | noise, train.batch_size=64 | 224 | 64 | bf16 | 6 | 2 (1 to 4) | 1,024 MiB | 9.000 | 3.000 | "
    assert lines[3].startswith(row)
    assert lines[3].endswith(" | 0123456 |")


def test_nothing_measured_is_said() -> None:
    assert steps_table([]) == "Not measured.\n"


def test_a_mean_of_fewer_steps_says_so() -> None:
    taken = Contestant(
        name="densezoo",
        precision="bf16",
        instruction_set="the best",
        rates={"64": (32.0, 16.0, 64.0)},
        losses=(9.0, 5.0, 4.0),
    )
    benchmark = dataclasses.replace(example_benchmark(), what="steps", contestants=(taken,))
    assert "| 9.000 | 6.000 (of 3) |" in steps_table([benchmark])
