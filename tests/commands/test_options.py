"""What every command shares: parsers of options, one message an error, the exit status."""

from __future__ import annotations

import argparse
import io
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import forked
import pytest

from densezoo.commands import options
from densezoo.commands.sweep import add_sweep_options
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.paths import ROOT

Tool = Callable[..., int]
CONFIG = "configs/digits/densenet_bc_22_8_digits.py"


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = forked.run([ROOT / "tools/test.py", CONFIG, tmp_path / "missing.pth", "--debug"])
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "FormatError" in done.stderr


@pytest.mark.parametrize("name", ["test", "train", "list_models", "make_tables", "check_index", "demo"])
def test_help(tool: Tool, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        tool(name, "--help")
    assert caught.value.code == 0
    assert "--debug" in capsys.readouterr().out


def parsed(*arguments: str) -> argparse.Namespace:
    parser = options.make_parser("d")
    options.add_evaluation_options(parser)
    add_sweep_options(parser)
    return parser.parse_args(arguments)


def test_fields_of_a_config_are_literals() -> None:
    parser = options.make_parser("d")
    options.add_run_options(parser)
    given = ("model.growth_rate=8", "model.block_config=(1,2)", "train.lr=1e-3", "dataset=cifar10")
    assert parser.parse_args(["--cfg-options", *given]).cfg_options == {
        "model.growth_rate": 8,
        "model.block_config": (1, 2),
        "train.lr": 1e-3,
        "dataset": "cifar10",
    }


def test_roots_of_datasets_mean_the_same_in_every_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = parsed("--data-root", "imagenet1k=val", "digits=a=b", "--datasets", "imagenet1k,,digits", "--cache", "p")
    assert dict(found.data_root) == {"imagenet1k": tmp_path / "val", "digits": tmp_path / "a=b"}
    assert (found.datasets, found.cache) == (["imagenet1k", "digits"], tmp_path / "p")


@pytest.mark.parametrize("text", ["imagenet1k", "=val", "imagenet1k="])
def test_a_root_without_its_dataset(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed("--data-root", text)
    assert f"{text!r} is not NAME=PATH, such as imagenet1k=/data/imagenet" in capsys.readouterr().err


def test_a_config_of_the_repository_is_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert options.find_config(Path(CONFIG)) == ROOT / CONFIG
    assert options.find_config(Path("configs/mine.py")) == Path("configs/mine.py")
    (tmp_path / CONFIG).parent.mkdir(parents=True)
    (tmp_path / CONFIG).touch()  # the one that lies here comes first
    assert options.find_config(Path(CONFIG)) == Path(CONFIG)


def test_an_error_of_ours_is_one_message_and_any_other_is_a_fault(capsys: pytest.CaptureFixture[str]) -> None:
    def fail(error: Exception) -> None:
        raise error

    parser = options.make_parser("d")
    assert options.run(lambda _: fail(ConfigError("expected a, found b")), parser, []) == 1
    assert capsys.readouterr() == ("", "error: expected a, found b\n")
    with pytest.raises(ConfigError):
        options.run(lambda _: fail(ConfigError("expected a, found b")), parser, ["--debug"])
    with pytest.raises(ZeroDivisionError):
        options.run(lambda _: fail(ZeroDivisionError()), parser, [])
    with pytest.raises(AssertionError, match="there is no --out"):  # as `conftest` has it of every test
        options.run(lambda _: fail(ConfigError("choose another --out")), parser, [])


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_an_interruption_ends_with_the_signal_s_status(
    number: signal.Signals, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert options.run(lambda _: os.kill(os.getpid(), number), options.make_parser("d"), []) == status
    finally:
        signal.signal(signal.SIGTERM, before)
    assert capsys.readouterr().err == "interrupted\n"


def test_weights_are_a_file_or_a_name_of_the_index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    name = "densenet_bc_22_8.densezoo_digits"
    shipped, model = options.find_weights(Path(name))
    assert (shipped.name, model) == ("densenet_bc_22_8_digits.safetensors", name)
    assert options.find_weights(Path("nowhere.pth")) == (Path("nowhere.pth"), None)  # a file, as its ending says
    with pytest.raises(UnknownNameError, match=re.escape(f"did you mean '{name}'")):
        options.find_weights(Path(name[:-1]))
    Path(name).touch()
    assert options.find_weights(Path(name)) == (Path(name), None)  # the file that lies here comes first


def test_names_that_the_output_has_no_letters_for_end_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a class called fünf on a terminal of ASCII, and a file whose name is no UTF-8."""
    escaped = "fünf ".encode() + rb"\udce9"
    for encoding, errors, shown in (
        ("ascii", "strict", rb"f\xfcnf \udce9"),
        ("ascii", "surrogateescape", rb"f\xfcnf \udce9"),
        ("ascii", "replace", b"f?nf ?"),
        ("utf-8", "strict", escaped),
        ("utf-8", "surrogateescape", "fünf ".encode() + b"\xe9"),
    ):
        output = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors=errors)
        monkeypatch.setattr(sys, "stdout", output)
        assert options.run(lambda _: sys.stdout.write("fünf \udce9") * 0, options.make_parser("d"), []) == 0
        output.flush()
        assert output.buffer.getvalue() == shown


def test_an_output_that_is_closed_or_only_written_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as of ``>&-``, and what a program puts in its place."""
    for output in (None, SimpleNamespace(write=len, flush=lambda: None)):
        monkeypatch.setattr(sys, "stdout", output)
        assert options.run(lambda _: 0, options.make_parser("d"), []) == 0
