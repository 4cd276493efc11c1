"""Figures of one benchmark as cells and as text."""

from __future__ import annotations

import dataclasses

import pytest
from examples import example_benchmark, unheld_benchmark

from densezoo.results.speed_tables import ceiling, fastest, printed, rates, ratios, row, short_commit, table


def test_a_row_has_the_figures_of_the_best_batch_size() -> None:
    benchmark = example_benchmark()
    cells = row(benchmark, benchmark.contestants[0])
    assert cells["batch"] == "4"
    assert cells["images/s"] == "40.0 (38.0 to 42.0)"
    assert cells["G multiply-adds/s"] == "113.4"  # 40 x 2.834 G
    assert cells["of the ceiling"] == "133 %"  # 40 of 85 / 2.834 = 29.99 images a second
    assert cells["ms at batch 1 (p50, p90, p99)"] == "50.0, 60.0, 70.0"
    assert (cells["MiB"], cells["error"]) == ("300", "2e-06")


def test_what_was_not_measured_is_said_to_be_so() -> None:
    benchmark = example_benchmark()
    assert row(benchmark, benchmark.contestants[2])["images/s"] == "not measured"
    text = printed(benchmark)
    assert "mmpretrain float32: not measured: it is not installed\n" in text
    assert "| mmpretrain |" not in text


def test_ratios_are_round_by_round_and_name_the_ceiling() -> None:
    benchmark = example_benchmark()
    found = ratios(benchmark, benchmark.contestants[0])
    assert found["timm"].median == 4.0  # 4, 3, 4.75
    assert found["the direct-convolution ceiling"].median == pytest.approx(40 * 2.834161664 / 85)
    assert "densezoo native: 4.00 (3.00 to 4.75) x timm\n" in printed(benchmark)
    assert "25 % of the cores' time went to other processes" in printed(benchmark)


def test_a_ceiling_of_other_rounds_is_compared_with_nothing() -> None:
    benchmark = example_benchmark(ceilings={"float32": (85e9, 85e9)})
    own = benchmark.contestants[0]
    assert "the direct-convolution ceiling" not in ratios(benchmark, own)
    assert row(benchmark, own)["of the ceiling"] == ""


def test_the_fastest_of_densezoo_s_own_in_a_precision() -> None:
    benchmark = example_benchmark()
    own = benchmark.contestants[0]
    slower = dataclasses.replace(own, name="densezoo eager", rates={"4": (1.0, 1.0, 1.0)})
    bf16 = dataclasses.replace(own, precision="bf16", rates={"4": (99.0, 99.0, 99.0)})
    older = dataclasses.replace(own, name="densezoo of 0123456", rates={"4": (90.0, 90.0, 90.0)})
    both = dataclasses.replace(benchmark, contestants=(slower, own, bf16, older))
    assert fastest(both) is own
    assert fastest(both, "bf16") is bf16
    assert fastest(dataclasses.replace(benchmark, contestants=benchmark.contestants[1:])) is None


def test_an_evaluation_s_rate_is_its_images_by_its_seconds() -> None:
    own = dataclasses.replace(example_benchmark().contestants[0], rates={}, seconds=(25.0, 20.0, 50.0), agreement=1.0)
    benchmark = example_benchmark(what="evaluation", images=1000, contestants=(own,))
    assert rates(benchmark, own) == (40.0, 50.0, 20.0)
    cells = row(benchmark, own)
    assert (cells["seconds"], cells["agrees"]) == ("25.0 (20.0 to 50.0)", "100.00 %")


def test_a_precision_without_a_ceiling_has_that_of_float32() -> None:
    benchmark = example_benchmark(multiply_adds=85 * 10**9)
    assert ceiling(benchmark, "int8") == (1.0, 1.0, 1.0)


def test_the_fastest_stands_first() -> None:
    lines = table(example_benchmark()).splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| densezoo native", "| timm"]


def test_what_is_printed_marks_a_program_that_can_t_be_held_to_the_instruction_set() -> None:
    held = unheld_benchmark()
    text = printed(held)
    assert "| onnxruntime * | float32 |" in text
    assert "densezoo native: 4.00 (3.00 to 4.75) x onnxruntime *\n" in text
    assert "densezoo native: 4.00 (3.00 to 4.75) x timm\n" in text
    assert text.endswith(
        "\n`*`: that program takes the best instruction set of the CPU, whatever the others are held to.\n"
    )
    assert "*" not in printed(dataclasses.replace(held, instruction_set="avx512"))
    own = dataclasses.replace(held.contestants[-1], name="densezoo onnxruntime", precision="bf16")
    assert "densezoo onnxruntime bf16 *: 1.00 x timm" in printed(
        dataclasses.replace(held, contestants=(own, held.contestants[1]))
    )


@pytest.mark.parametrize(
    ("commit", "shown"),
    [("0123456789abcdef", "0123456"), ("0123456789abcdef+dirty", "0123456+dirty"), (None, "")],
)
def test_a_commit_is_short_and_says_whether_there_were_changes(commit: str | None, shown: str) -> None:
    assert short_commit(example_benchmark(commit=commit)) == shown
