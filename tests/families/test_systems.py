"""What a system can't have is listed, and what is written for it has its names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from toy_family import FAMILY, Toy, ToyArchitecture, computation, register

from densezoo.families.systems import System, computed, torch_writer
from densezoo.types import Computation

SYSTEM: System[ToyArchitecture] = System(
    only={"in_chans": (1, 3)},
    only_built={"widths": ((4, 6),)},
    only_stored={"norm_eps": (1e-6,)},
    cannot={"more classes than channels": lambda arch: arch.num_classes > arch.widths[-1]},
)


@pytest.mark.parametrize(
    ("fields", "built", "stored"),
    [
        ({"norm_eps": 1e-6}, [], []),
        ({"norm_eps": 1e-3}, [], ["norm_eps 0.001"]),
        ({"norm_eps": 1e-6, "widths": (9,)}, ["widths=(9,)"], []),
        ({"norm_eps": 1e-6, "in_chans": 2}, ["in_chans=2"], ["in_chans 2"]),
        ({"norm_eps": 1e-6, "num_classes": 99}, ["more classes than channels"], ["more classes than channels"]),
    ],
)
def test_what_a_system_can_t_have(fields: dict[str, Any], built: list[str], stored: list[str]) -> None:
    arch = ToyArchitecture(**fields)
    assert (SYSTEM.cannot_build(arch), SYSTEM.cannot_store(arch)) == (built, stored)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The family's folder is there."""
    register(monkeypatch)


def test_a_torch_file_has_the_source_s_names_and_the_wrapper(tmp_path: Path) -> None:
    arch = ToyArchitecture((2,), in_chans=1, num_classes=3)
    weights = dict(Toy(arch).state_dict())
    write = torch_writer(FAMILY, "foo", lambda tensors: {"state_dict": tensors})
    write(tmp_path / "m.pth", arch, weights, {})
    saved = torch.load(tmp_path / "m.pth", weights_only=True)["state_dict"]
    assert set(saved) == {
        "foo1.c.kernel", "foo1.c.bias", "foo1.n.weight", "foo1.n.bias", "foo1.scale", "head_norm.weight",
        "head_norm.bias", "classifier.weight", "classifier.bias",
    }  # fmt: skip
    assert saved["foo1.scale"].equal(weights["stages.0.gamma"])


def test_a_disk_s_error_is_an_error_of_the_disk(tmp_path: Path) -> None:
    arch = ToyArchitecture()
    with pytest.raises(OSError, match="."):
        torch_writer(FAMILY, "toy")(tmp_path / "no folder" / "m.pth", arch, Toy(arch).state_dict(), {})


def test_a_computation_is_what_a_writer_of_graphs_gets(tmp_path: Path) -> None:
    seen: list[object] = []

    def write(path: Path, steps: Computation, weights: object, facts: object) -> None:
        seen.extend((path, steps, weights, facts))

    arch = ToyArchitecture()
    computed(computation, write)(tmp_path, arch, {}, {"a": 1})
    assert seen == [tmp_path, computation(arch), {}, {"a": 1}]
