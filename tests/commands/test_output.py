"""``--json`` and ``--quiet``: what every command answers on stdout."""

from __future__ import annotations

import importlib
import json
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from examples import example_facts, records_of
from PIL import Image

from densezoo.commands.__main__ import command_names, main
from densezoo.commands.output import answer, tell
from densezoo.evaluation.predictions import write_predictions
from densezoo.paths import ROOT
from densezoo.training.events import Epoch
from densezoo.training.logs import open_logs

CONFIG = ROOT / "configs/digits/densenet_bc_22_8_digits.py"
WEIGHTS = CONFIG.with_suffix(".safetensors")
DIGITS = "densenet_bc_22_8.densezoo_digits"
#: {command: arguments that take little time}; FOLDER is an empty folder, IMAGE a picture.
ARGUMENTS = {
    "analyze": "PREDICTIONS --topk 1 --plot FOLDER/a.svg",
    "benchmark": "FIXTURE --what formats --rounds 1 --out FOLDER",
    "card": DIGITS,
    "check_index": "",
    "completion": "bash",
    "convert": "FIXTURE FOLDER/m.safetensors",
    "convert_lua": "FIXTURE FOLDER/m.safetensors",
    "demo": "",
    "explain": f"{DIGITS} IMAGE --device cpu -o FOLDER/cam.svg",
    "features": f"{DIGITS} IMAGE --device cpu --workers 0 -o FOLDER/a.npy",
    "fetch_weights": DIGITS,
    "list_models": DIGITS,
    "make_tables": "--check",
    "new": "protocol FOLDER/mine.yml",
    "plot_accuracy": "-o FOLDER/a.svg",
    "plot_curves": "FOLDER -o FOLDER/a.svg",
    "plot_feature_reuse": f"{DIGITS} -o FOLDER/a.svg",
    "predict": f"{WEIGHTS} IMAGE --device cpu --workers 0",
    "publish": f"{WEIGHTS} -o FOLDER/published",
    "show": DIGITS,
    "show_protocol": "torchvision",
    "site": "FOLDER/site",
    "sweep": f"{DIGITS} --datasets digits --out FOLDER --device cpu --workers 0",
    "test": f"{WEIGHTS} --out FOLDER --device cpu --workers 0",
    "train": f"{CONFIG} --dry-run --device cpu",
    "verify_weights": "",
}
#: They print by the same two functions as `test`.
LONG = ("check_index", "demo", "make_tables", "publish", "site", "sweep", "train")


def run(name: str, form: str, folder: Path) -> int:
    folder.mkdir()
    Image.new("L", (8, 8), 90).save(folder / "image.png")
    write_predictions(folder / "p.parquet", [records_of([0.6, 0.7], [0, 1])], ["a", "b"], example_facts(), 2)
    (log,) = open_logs([], folder)
    log.on_epoch(Epoch(1, 1, 4, 0.1, 1.5, 50.0, 1.0, {"top1": 61.5}))
    fixture = ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth"
    places = {"FOLDER": folder, "IMAGE": folder / "image.png", "FIXTURE": fixture, "PREDICTIONS": folder / "p.parquet"}
    arguments = ARGUMENTS[name]
    for word, path in places.items():
        arguments = arguments.replace(word, str(path))
    return main([name, *arguments.split(), form])


def test_every_command_is_tried_and_takes_both() -> None:
    names = set(command_names())
    assert names == {*ARGUMENTS, "push"}  # which needs a server: tests/commands/test_push
    for name in names:
        parser = importlib.import_module(f"densezoo.commands.{name}").make_parser()
        known = {option for action in parser._actions for option in action.option_strings}
        assert known >= {"--json", "--quiet"}, name


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in sorted(ARGUMENTS)]
)
def test_json_is_one_document_and_quiet_is_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(name, "--json", tmp_path / "json") == 0
    assert json.loads(capsys.readouterr().out)
    assert run(name, "--quiet", tmp_path / "quiet") == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["show", "predict"])
def test_an_error_leaves_stdout_empty(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for form in ("--json", "--quiet"):
        assert main([name, "densenet999", *(["a.png"] if name == "predict" else []), form]) == 1
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.startswith("error: ")


def test_both_at_once_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["show", DIGITS, "--json", "--quiet"])
    assert caught.value.code == 2
    assert "not allowed with" in capsys.readouterr().err


@dataclass(frozen=True)
class Point:
    x: int
    path: Path


@pytest.mark.parametrize(
    ("as_json", "print_it", "expected"),
    [
        (False, lambda args: answer(args, "one", {"n": 1}), "one\n"),
        (False, lambda args: answer(args, "", {"n": 1}), ""),
        (False, lambda args: tell(args, "half way"), "half way\n"),
        (True, lambda args: tell(args, "half way"), ""),
        (True, lambda args: answer(args, "one", [Point(1, Path("a/b"))]), [{"x": 1, "path": "a/b"}]),
    ],
)
def test_text_or_the_same_for_a_program(
    as_json: bool, print_it: Callable[[Namespace], None], expected: object, capsys: pytest.CaptureFixture[str]
) -> None:
    print_it(Namespace(json=as_json))
    shown = capsys.readouterr().out
    assert (json.loads(shown) if as_json and shown else shown) == expected


def test_a_value_without_a_form_in_json_is_a_fault() -> None:
    with pytest.raises(TypeError, match="complex has no form in JSON"):
        answer(Namespace(json=True), "", {"z": 1j})
