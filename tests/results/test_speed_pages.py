"""The documents' tables of benchmarks."""

from __future__ import annotations

import dataclasses

import pytest
from examples import example_benchmark, unheld_benchmark

from densezoo.results import speed_pages
from densezoo.results.speed_pages import commands, comparison, everything, limits, machines, published, readme


def test_a_comparison_has_a_row_a_benchmark_and_says_what_was_not_measured() -> None:
    text = comparison(
        [example_benchmark(), example_benchmark(model="densenet161", multiply_adds=7 * 10**9)], "inference"
    )
    head, _, first, second, _, note = text.splitlines()
    cells = dict(zip(head.split(" | "), first.split(" | ")))
    assert cells["backend"] == "native"
    assert (cells["images/s"], cells["x timm"], cells["x mmpretrain"]) == ("40.0", "4.00", "not measured")
    assert "| x OpenVINO |" not in head  # nobody asked for it
    assert second.startswith("| densenet161 |")
    assert note == "Not measured on: avx512, amx, a GPU."


def test_the_best_flags_are_the_fastest_of_timm_s() -> None:
    benchmark = example_benchmark()
    timm = benchmark.contestants[1]
    last = dataclasses.replace(timm, name="timm channels-last", rates={"4": (20.0, 21.0, 19.0)})
    small = dataclasses.replace(timm, name="timm channels-last -b 16 -j 2", rates={"4": (25.0, 25.0, 25.0)})
    benchmark = dataclasses.replace(benchmark, contestants=(*benchmark.contestants, last, small))
    head, _, first, *_ = comparison([benchmark], "inference").splitlines()
    assert dict(zip(head.split(" | "), first.split(" | ")))["x timm, best flags"] == "1.60"


def test_a_program_that_can_t_be_held_to_the_instruction_set_is_marked() -> None:
    held = unheld_benchmark()
    best = dataclasses.replace(held, instruction_set="avx512")
    for shown, end in ((held, " *"), (best, "")):
        head, _, first, *below = comparison([shown], "inference").splitlines()
        assert dict(zip(head.split(" | "), first.split(" | ")))["x ONNX Runtime"] == f"4.00{end}"
        assert any(line.startswith("`*`: that program takes the best") for line in below) == bool(end)
        every = everything([shown], "inference")
        assert f"| {shown.instruction_set} | onnxruntime{end} |" in every
        assert f"| {shown.instruction_set} | timm |" in every
        assert ("\n\n`*`: that program takes the best" in every) == bool(end)


def test_an_unheld_backend_of_densezoo_is_marked_too() -> None:
    held = unheld_benchmark()
    own = dataclasses.replace(held.contestants[-1], name="densezoo onnxruntime")
    head, _, first, *below = comparison([dataclasses.replace(held, contestants=(own,))], "inference").splitlines()
    assert dict(zip(head.split(" | "), first.split(" | ")))["backend"] == "onnxruntime *"
    assert any(line.startswith("`*`: that program takes the best") for line in below)


def test_a_row_names_its_commit_and_whether_there_were_changes() -> None:
    benchmark = example_benchmark(commit="0123456789abcdef+dirty")
    for text in (comparison([benchmark], "inference"), everything([benchmark], "inference"), limits([benchmark])):
        head, _, first, *_ = text.splitlines()
        assert dict(zip(head.strip("| ").split(" | "), first.strip("| ").split(" | ")))["commit"] == "0123456+dirty"


def test_the_commands_are_those_that_are_stored() -> None:
    benchmark = example_benchmark(command="densezoo benchmark a --data-root /data/my/a.tar b/c")
    assert commands([benchmark, benchmark]) == "```sh\ndensezoo benchmark a --data-root a.tar b/c\n```\n"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("--data-root /data/photos/ configs/cifar/x.py", "--data-root photos configs/cifar/x.py"),
        ("--weights '/data/my own/a b.pth'", "--weights 'a b.pth'"),
        ("--clone ~/work/old ~me/a", "--clone old a"),
        ("--clone '~/work/my old'", "--clone 'my old'"),
        ("--data-root=/data/photos --clone=~/old", "--data-root=photos --clone=old"),
        ("--cfg-options train.start=/data/a=b.pth", "--cfg-options train.start=a=b.pth"),
        ("/data/a=/b.pth", "b.pth"),
        ("--data-root / ../c --seconds=0.5 'a b'", "--data-root / ../c --seconds=0.5 'a b'"),
    ],
)
def test_of_a_path_of_one_machine_the_file_s_name_is_shown(words: str, shown: str) -> None:
    assert commands([example_benchmark(command=f"densezoo benchmark {words}")]) == (
        f"```sh\ndensezoo benchmark {shown}\n```\n"
    )


def test_an_older_densezoo_is_another_program() -> None:
    benchmark = example_benchmark()
    older = dataclasses.replace(benchmark.contestants[0], name="densezoo of f43e752", rates={"4": (80.0, 84.0, 76.0)})
    benchmark = dataclasses.replace(benchmark, contestants=(*benchmark.contestants, older))
    head, _, first, *_ = comparison([benchmark], "inference").splitlines()
    cells = dict(zip(head.split(" | "), first.split(" | ")))
    assert (cells["backend"], cells["x older densezoo"]) == ("native", "0.50")


def test_timm_s_best_flags_may_be_its_defaults() -> None:
    benchmark = example_benchmark()
    last = dataclasses.replace(benchmark.contestants[1], name="timm channels-last", rates={"4": (5.0, 7.0, 4.0)})
    benchmark = dataclasses.replace(benchmark, contestants=(*benchmark.contestants, last))
    head, _, first, *_ = comparison([benchmark], "inference").splitlines()
    assert dict(zip(head.split(" | "), first.split(" | ")))["x timm, best flags"] == "4.00"


def test_every_contestant_stands_somewhere() -> None:
    text = everything([example_benchmark()], "inference")
    assert "| densenet121 |" in text
    assert "- densenet121, avx2: mmpretrain float32 is not measured: it is not installed\n" in text


def test_the_limit_is_the_products_at_the_peak_of_a_core() -> None:
    head, _, cells = limits([example_benchmark(), example_benchmark(ceilings={})]).splitlines()
    found = dict(zip(head.strip("| ").split(" | "), cells.strip("| ").split(" | ")))
    assert found["ms an image and core"] == "50.00"  # 40 images a second on two cores
    assert found["direct products at the peak"] == "34.88"  # 1.5 G at 43 G a second and core
    assert found["Winograd's products at the peak"] == "9.30"
    assert found["both of the whole"] == "88 %"


def test_machines_and_versions() -> None:
    assert machines([example_benchmark()]) == (
        "- AMD EPYC, 2 cores, L1d 32 KiB, L2 1,024 KiB, 24 GiB (avx2 avx512): timm 1.0.31, torch 2.15.0\n"
    )


def test_the_readme_has_two_models() -> None:
    text = readme([example_benchmark(), example_benchmark(model="densenet201")])
    assert "densenet121" in text
    assert "densenet201" not in text
    assert "| network alone |" in text
    assert readme([example_benchmark(contestants=example_benchmark().contestants[:1])]) == ""  # nobody to compare with


def test_timm_s_own_figures_are_as_published() -> None:
    assert len(speed_pages.PUBLISHED.read_text().splitlines()) == 163
    text = published()
    assert "| infer-fp32-nchw-pt240-cpu-i9_10940x-dynamo |" in text
    head = text.splitlines()[0]
    row = next(line for line in text.splitlines() if "rtx4090-dynamo" in line)
    assert dict(zip(head.split(" | "), row.split(" | ")))["densenet121"] == "6,580.9"
