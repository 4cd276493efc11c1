"""The tables of memory: measured rows beside the published ones."""

from __future__ import annotations

import dataclasses

from examples import example_benchmark

from densezoo.results.memory_tables import modes, published, wide
from densezoo.types import Benchmark, Contestant


def example() -> Benchmark:
    """Three contestants of a batch of 64, in 2, 4 and 8 seconds a step."""
    rows = [
        Contestant(name=name, instruction_set="avx2", rates={"64": (rate,) * 3}, kept=mib * 2**20, peak_memory=2**30)
        for name, rate, mib in (
            ("densezoo shared", 32.0, 350), ("torchvision", 16.0, 2000), ("torchvision memory_efficient", 8.0, 700)
        )
    ]  # fmt: skip
    failed = Contestant(name="gpleiss", instruction_set="avx2", rates={}, not_measured="no such thing")
    return dataclasses.replace(
        example_benchmark(), what="memory", model="densenet_bc_100_12_cifar10plus", contestants=(*rows, failed)
    )


def test_the_modes_beside_the_published_ones() -> None:
    table = modes([example()])
    assert "| densenet_bc_100_12 | Lua, optMemory 4 | float32 | 64 |  |  | 1,655 MB | 0.175 |" in table
    row = next(line for line in table.splitlines() if "densezoo shared" in line)
    assert "| 350 | 17.5 % | 1,024 MiB | 2.00 | 0.25 |" in row
    assert "torchvision memory_efficient | float32 | 64 | 700 | 35.0 % | 1,024 MiB | 8.00 | 1.00 |" in table
    assert "- densenet_bc_100_12_cifar10plus: gpleiss is not measured: no such thing" in table


def test_what_wasn_t_measured_of_the_wide_ones_says_so() -> None:
    lines = wide([example()]).splitlines()
    assert [line.split(" | ")[1] for line in lines[2:]] == ["Lua", "densezoo shared", *["Lua", "densezoo"] * 3]
    assert "wide_densenet_bc_40_60 | densezoo" in lines[-1]
    assert "not measured" in lines[-1]
    assert len(published("wide")) == 4


def test_another_network_s_row_is_not_taken() -> None:
    other = dataclasses.replace(example(), model="densenet_bc_100_24_cifar10")
    assert "densezoo shared" not in wide([other])


def test_what_was_measured_names_its_commit() -> None:
    benchmark = dataclasses.replace(example(), commit="0123456789")
    for text in (modes([benchmark]), wide([benchmark])):
        assert text.splitlines()[0].endswith(" | commit |")
        measured = [line for line in text.splitlines() if "densezoo shared" in line]
        assert [line.rpartition(" %")[2] for line in measured] == [" | 0123456 |"]
        assert all(line.endswith(" |  |") for line in text.splitlines() if "TITAN X" in line)
