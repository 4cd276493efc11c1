"""A benchmark as a command: a line a file, and what is stored."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from benchmark_runs import SMALL, HereAnswering
from examples import example_benchmark

from densezoo import api
from densezoo.benchmarks import evaluation, inference, training
from densezoo.benchmarks.inference import Settings
from densezoo.commands import benchmark
from densezoo.paths import ROOT


def test_a_line_a_file(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = [
        ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth",
        ROOT / "tests/fixtures/torch7/00_tiny_bc_d10_k4.t7",
    ]
    assert tool("benchmark", "--what", "formats", *files, "--rounds", 1, "--out", tmp_path) == 0
    *lines, last = capsys.readouterr().out.splitlines()
    assert last == f"stored: {tmp_path}/formats.json"
    assert len(lines) == 2
    rows = json.loads((tmp_path / "formats.json").read_text())["files"]
    for path, row, line in zip(files, rows, lines):
        mib = path.stat().st_size / 2**20
        assert (row["file"], row["mib"]) == (path.name, mib)
        assert re.match(rf"{path.name}: {mib:.1f} MiB, median {row['seconds']:.3f} s", line)
    assert tool("benchmark", "--what", "formats", tmp_path / "none.pth", "--out", tmp_path / "more") == 1
    assert capsys.readouterr().err == f"error: {tmp_path}/none.pth: there is no such checkpoint file\n"
    assert not (tmp_path / "more").exists()


def test_every_option_reaches_the_measurement(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    def measure(subject: str, settings: Any, **more: Any) -> tuple[Path, Any]:
        more["say"]("round 1 of 1 done")
        asked.append((subject, settings, more))
        (tmp_path / "stored.json").write_text("{}")
        return tmp_path / "stored.json", example_benchmark()

    for name in ("inference", "training", "evaluation"):
        monkeypatch.setattr(api, f"benchmark_{name}", measure, raising=False)
    options = ["--backend", "all", "--against", "timm,openvino", "--batch-sizes", "2,8", "--threads", 3, "--rounds", 4]
    options += ["--seconds", 0.25, "--image-size", 64, "--precision", "float32,bf16", "--instruction-set", "avx2"]
    assert tool("benchmark", "densenet121", "densenet161", *options, "--out", tmp_path) == 0
    assert [subject for subject, _, _ in asked] == ["densenet121", "densenet161"]
    settings, more = asked[0][1:]
    assert set(settings.backends) >= {"eager", "native"}
    assert dataclasses.astuple(settings)[1:9] == (
        ["timm", "openvino"], ["float32", "bf16"], [2, 8], "cpu", 3, "avx2", 0.25, 4,
    )  # fmt: skip
    assert (more["image_size"], more["folder"], more["protocol"], more["weights"]) == (64, tmp_path, None, None)
    out = capsys.readouterr().out
    assert "densezoo native: 4.00 (3.00 to 4.75) x timm" in out
    assert out.splitlines()[-1] == f"stored: {tmp_path}/stored.json"
    more_options = ["--data-root", tmp_path, "--images", "10,20", "--clone", tmp_path]
    assert tool("benchmark", "--what", "evaluation", SMALL, *more_options) == 0
    assert [more["images"] for _, _, more in asked[2:]] == [10, 20]
    assert asked[-1][2]["clones"] == [tmp_path]
    assert tool("benchmark", "--what", "evaluation", SMALL, "--backend", "auto", *more_options) == 0
    assert asked[-1][1].backends == ["auto"]


def test_what_can_t_be_measured_is_refused(tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("benchmark", "densenet121", "--backend", "egaer") == 1
    assert capsys.readouterr().err == "error: there is no backend 'egaer'; did you mean 'eager'?\n"
    assert tool("benchmark", "densenet121", "--backend", "auto") == 1  # which backend is timed has to be named
    assert "there is no backend 'auto'" in capsys.readouterr().err
    assert tool("benchmark", "--what", "evaluation", "densenet121") == 1
    assert "--what evaluation needs --data-root" in capsys.readouterr().err


@pytest.mark.slow
def test_a_benchmark_as_processes(tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--backend", "eager", "--against", "onnxruntime", "--seconds", 0.01, "--rounds", 1, "--out", tmp_path]
    assert tool("benchmark", SMALL, *options) == 0
    (stored,) = tmp_path.glob("inference.*.json")
    contestants = json.loads(stored.read_text())["contestants"]
    assert [each["name"] for each in contestants] == ["densezoo eager", "onnxruntime"]
    assert all(each["error"] < 1e-5 and each["peak_memory"] > 10**8 for each in contestants)


@pytest.mark.parametrize("option", ["--img-size", "--image-size"])
def test_the_side_of_the_images_is_asked_for_as_elsewhere_or_as_before(option: str) -> None:
    assert benchmark.make_parser().parse_args(["densenet121", option, "96"]).image_size == 96


@pytest.mark.parametrize(
    ("what", "option", "heeding"),
    [
        ("steps", ("--instruction-set", "avx2"), "inference, evaluation, training, memory"),
        ("steps", ("--rounds", 3), "inference, evaluation, training, memory, formats"),
        ("evaluation", ("--img-size", 96), "inference, training, memory"),
        ("formats", ("--against", "timm"), "inference, evaluation, training, memory"),
        ("inference", ("--cfg-options", "train.epochs=1"), "steps"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(
    tool: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    what: str,
    option: tuple[str, object],
    heeding: str,
) -> None:
    assert tool("benchmark", "--what", what, "--out", tmp_path, *option, "--", "densenet121") == 1
    message = f"error: --what {what} doesn't heed {option[0]}, which is for {heeding}; leave it out\n"
    assert capsys.readouterr().err == message


def test_every_option_is_heeded_by_something() -> None:
    given = {action.dest for action in benchmark.make_parser()._actions}
    common = {"help", "private_index", "debug", "json", "quiet", "what", "out", "subjects"}
    assert given - common == {name for names in benchmark.HEEDED.values() for name in names}


#: {option by its name in the parsed arguments: what stands for it in the command line}; each stands nowhere else.
VALUES = {
    "against": "timm",
    "protocol": "mmpretrain",
    "weights": "some.pth",
    "device": "cuda:1",
    "threads": 7001,
    "rounds": 7002,
    "precision": "bf16",
    "instruction_set": "avx2",
    "seconds": 0.0703,
    "batch_sizes": 7004,
    "image_size": 7005,
    "backend": "compile",
    "data_root": "photographs",
    "images": 7006,
    "clone": "older",
    "modes": "shared",
    "layouts": "channels-last",
    "steps": 7007,
    "cfg_options": "train.epochs=7008",
}


def with_values(names: Iterable[str]) -> list[object]:
    return [part for name in names for part in ("--" + name.replace("_", "-"), VALUES[name])]


@pytest.mark.parametrize("what", [*benchmark.HEEDED])
def test_every_option_that_is_heeded_reaches_the_call_and_no_other_is_taken(
    tool: Callable[..., int],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    asked: list[str] = []

    def measure(*arguments: object, **named: object) -> tuple[Path, Any]:
        asked.append(repr((arguments, named)))
        (tmp_path / "stored.json").write_text("{}")
        return tmp_path / "stored.json", [] if what == "formats" else example_benchmark()

    monkeypatch.setattr(api, f"benchmark_{what}", measure, raising=False)
    monkeypatch.setattr(benchmark, "steps_table", lambda benchmarks: "")
    command = ["benchmark", "--what", what, SMALL, "--out", tmp_path]
    heeded = benchmark.HEEDED[what]
    assert tool(*command, *with_values(heeded)) == 0
    (call,) = asked
    assert [name for name in heeded if str(VALUES[name]).rpartition("=")[2] not in call] == []
    for name in VALUES.keys() - {*heeded}:
        assert tool(*command, *with_values([name])) == 1
        assert f"--what {what} doesn't heed --" in capsys.readouterr().err
    assert len(asked) == 1


#: {option: the field of `Settings` that it sets}, where the names differ.
FIELDS = {"backend": "backends", "precision": "precisions"}


@pytest.mark.parametrize("what", ["inference", "evaluation", "training", "memory", "steps"])
def test_the_settings_that_are_heeded_are_those_that_the_measurement_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    names = {field.name for field in dataclasses.fields(Settings)} - {"patience"}  # which no option sets
    read: set[str] = set()

    class Noting(Settings):
        def __getattribute__(self, name: str) -> Any:
            read.update({name} & names)
            return super().__getattribute__(name)

    def run_once(each: Any, images: Path, keep: bool, settings: Settings, *more: object) -> None:
        assert settings.environment  # of the process that isn't started here
        each.seconds.append(1.0)

    for module in (inference, training):
        monkeypatch.setattr(module, "Child", HereAnswering)
    monkeypatch.setattr("densezoo.benchmarks.measuring.CEILING_SIDE", 64)
    monkeypatch.setattr(evaluation, "_run", run_once)
    monkeypatch.setattr(evaluation, "repeat_images", lambda root, number, folder: folder)
    monkeypatch.setattr(evaluation, "some_images", lambda images, number, folder: folder)
    more: dict[str, Any] = {"say": lambda line: None} if what != "steps" else {"steps": 2}
    more |= {"data_root": tmp_path} if what == "evaluation" else {}
    settings = Noting(["eager"], batch_sizes=[2], seconds=0.0, rounds=1)
    read.clear()
    getattr(api, f"benchmark_{what}")(SMALL, settings, folder=tmp_path, **more)
    heeded = {FIELDS.get(name, name) for name in benchmark.HEEDED[what]} & names
    refused = {"instruction_set"} if what == "steps" else set()
    assert read - refused == heeded
