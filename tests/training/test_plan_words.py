"""The plan as it is read in a terminal: its words, the plot of the schedule, 80 columns."""

from __future__ import annotations

import dataclasses

import pytest
from planned_training import RECIPE, a_run

from densezoo.training.plan import Images, Memory, Speed, TrainingPlan
from densezoo.training.plan_words import COLUMNS, describe, plot, size, values

PLAN = TrainingPlan(
    a_run(),
    Images(50_000, 10_000, True),
    (32, 32),
    769_162,
    769_162,
    287_770_000,
    Memory(3_000_000, 2_900_000, 2_900_000, 0, 0, 1_500_000, 24),
    1,
    Speed(3, 24, 0.01234, 0.004, 0.0002),
)


def lines_of(plan: TrainingPlan) -> list[str]:
    lines = describe(plan, "mine on digits").splitlines()
    assert max(map(len, lines)) <= 80
    return lines


def test_all_is_said_in_80_columns() -> None:
    lines = lines_of(PLAN)
    assert lines[:13] == [
        "mine on digits",
        "",
        "parameters     769,162, all trained",
        "multiply-adds  0.288 G an image of 32 x 32 pixels, one way",
        "images         50,000 to train on, 10,000 to measure on",
        "steps          20,830: 10 epochs of 2,083 steps of 24 images; 10 evaluations",
        "memory         42.7 MiB, beside the framework's own",
        "  weights      2.86 MiB",
        "  gradients    2.77 MiB",
        "  optimiser    2.77 MiB",
        "  activations  34.3 MiB: 24 images x 1.43 MiB that are kept for backward",
        "time           about 1h 51m on this machine: 12.3 ms an image to train, 4 ms to",
        "               evaluate, 0.2 ms to read and augment it on one core; measured in",
    ]
    assert lines[13].startswith("               3 steps of 24 images on ")
    assert "learning rate" in lines


def test_what_is_not_known_is_said() -> None:
    text = " ".join(" ".join(lines_of(dataclasses.replace(PLAN, images=Images(None, None, False), speed=None))).split())
    assert "images not known: give --data-root, then steps and time follow" in text
    assert "steps of 24 images, 10 epochs" in text
    assert "time not measured" in text
    published = " ".join(" ".join(lines_of(dataclasses.replace(PLAN, images=Images(50_000, 10_000, False)))).split())
    assert "50,000 to train on, 10,000 to measure on, as published; they were not looked for" in published
    measured = dataclasses.replace(PLAN, speed=Speed(1, 4, 1.5, 0.5, None), processes=2, trained=500)
    text = " ".join(" ".join(lines_of(measured)).split())
    assert (
        "without reading the images: 1.5 s an image to train, 500 ms to evaluate; measured in 1 step of 4 images"
        in text
    )
    assert "in 2 processes" in text
    assert "769,162, 500 trained" in text


def test_parts_average_and_teacher() -> None:
    recipe = dataclasses.replace(RECIPE, accumulate=4)
    memory = dataclasses.replace(PLAN.memory, average=2**20, teacher=2**30, images=6)
    run = dataclasses.replace(PLAN.run, recipe=recipe, said=("classifier: drawn anew",))
    lines = lines_of(dataclasses.replace(PLAN, run=run, memory=memory))
    assert "note           classifier: drawn anew" in lines
    assert values(dataclasses.replace(PLAN, run=run))["notes"] == ("classifier: drawn anew",)
    assert "  average      1 MiB" in lines
    assert "  teacher      1 GiB" in lines
    assert "steps of 24 images in 4 parts" in " ".join(lines)


def test_the_plot_is_the_schedule() -> None:
    falling = plot(lambda step: 0.1 if step < 50 else 0.01 if step < 75 else 0.0, 100, "100 epochs")
    half, quarter = COLUMNS // 2, COLUMNS // 4
    assert falling[0] == "      0.1 ┤" + "█" * half
    assert falling[1:5] == ["          │" + "█" * half] * 4
    assert falling[5] == "          │" + "█" * half + "▅" * quarter
    assert falling[6] == "        0 └" + "─" * COLUMNS
    assert falling[7] == "           0" + "100 epochs".rjust(COLUMNS - 1)
    rising = plot(lambda step: 0.5 * step / 59, COLUMNS, "1 epochs")
    heights = [
        sum(" ▁▂▃▄▅▆▇█".index(line.ljust(11 + COLUMNS)[11 + column]) for line in rising[:6])
        for column in range(COLUMNS)
    ]
    assert heights == sorted(heights)
    assert (heights[0], heights[1], heights[-1]) == (0, 1, 48)
    assert plot(lambda step: 0.0, 3, "")[5] == "          │"


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (1020 * 2**20, "1,020 MiB"), (3 * 2**30, "3 GiB")],
)
def test_sizes(number: int, words: str) -> None:
    assert size(number) == words
