"""``list_models`` as a user types it: filters, columns, patterns, slips; an empty answer says so and suggests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from densezoo.paths import ROOT

Tool = Callable[..., int]


def test_listing(tool: Tool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    filters = ("--where", "top1 > 75 and params < 20e6", "--sort", "top1", "--reverse")
    assert tool("list_models", "densenet1*.tv_in1k", *filters, "--columns", "name,top1,params") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["name", "top1", "params"],
        ["densenet169.tv_in1k", "75.600", "14.15", "M"],
    ]
    assert tool("list_models", "densenet1*.tv_in1k", "--json", "--columns", "name,top5") == 0
    assert json.loads(capsys.readouterr().out)[0] == {"name": "densenet121.tv_in1k", "top5": 91.972}
    assert tool("list_models", "tv_densenet121", "--csv", "--columns", "name,params") == 0
    assert capsys.readouterr().out == "name,params\ndensenet121.tv_in1k,7978856\n"


def test_listing_by_a_field_that_is_none(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("list_models", "--where", "parms > 3") == 1
    assert capsys.readouterr().err == "error: there is no field 'parms'; did you mean 'params'?\n"


def test_a_reader_that_has_seen_enough() -> None:
    command = f"{sys.executable} {ROOT / 'tools/list_models.py'} | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=300)
    assert "Traceback" not in done.stderr
    assert done.stdout.split()[0] == "name"


def listed(tool: Tool, capsys: pytest.CaptureFixture[str], *arguments: object) -> list[str]:
    assert tool("list_models", *arguments, "--csv", "--columns", "name") == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    return shown.out.splitlines()[1:]


def test_slips_find(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    expected = listed(tool, capsys, "densenet121")
    assert {"densenet121.tv_in1k", "densenet121.ra_in1k"} < set(expected)
    for typed in ("DenseNet121", "densenet-121", "densnet121"):
        assert listed(tool, capsys, typed) == expected


def test_several_patterns(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    both = listed(tool, capsys, "densenet161", "*.caffe_in1k")
    assert both == sorted({*listed(tool, capsys, "densenet161"), *listed(tool, capsys, "*.caffe_in1k")})


@pytest.mark.parametrize("falling", [("--sort", "-top1"), ("--sort=-top1",), ("--sort", "top1", "--reverse")])
def test_from_high_to_low(tool: Tool, capsys: pytest.CaptureFixture[str], falling: tuple[str, ...]) -> None:
    rising = listed(tool, capsys, "*.tv_in1k", "--sort", "top1")
    assert len(rising) == 4
    assert listed(tool, capsys, "*.tv_in1k", *falling) == rising[::-1]
    assert listed(tool, capsys, "*.tv_in1k", "--sort", "-top1", "--reverse") == rising


def test_the_columns_that_were_asked_by_are_shown(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("list_models", "--where", "measured_top1 > 98 and growth_rate == 8", "--sort", "-epochs") == 0
    header, *lines = capsys.readouterr().out.splitlines()
    shown = "name dataset protocol top1 top5 params flops epochs measured_top1 growth_rate"
    assert header.split() == shown.split()
    assert [line.split()[0] for line in lines] == ["densenet_bc_22_8.densezoo_digits"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["zzz"], "no model matches 'zzz'; densezoo has DenseNets and RDNets, listed without a pattern"),
        (["densenet122"], "no model matches 'densenet122'; densezoo list_models 'densenet*' lists those there are"),
        (["--where", "protocol == 'timmm'"], "no model's protocol is 'timmm'; did you mean 'timm'?"),
        (["densenet161", "--where", "top1 > 100"], "models none has top1 > 100"),
    ],
)
@pytest.mark.parametrize(
    ("form", "empty"), [((), ""), (("--json",), "[]\n"), (("--csv", "--columns", "top1"), "top1\n")]
)
def test_an_empty_answer_says_so(
    tool: Tool, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str, form: tuple[str, ...], empty: str
) -> None:
    assert tool("list_models", *arguments, *form) == 1
    shown = capsys.readouterr()
    assert shown.out == empty
    assert shown.err.startswith("error: ")
    assert shown.err.endswith(f"{said}\n")


def test_of_several_patterns_those_that_find_nothing_are_named(tool: Tool, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("list_models", "densenet161.tv_in1k", "zzz", "--json") == 1
    shown = capsys.readouterr()
    assert [entry["name"] for entry in json.loads(shown.out)] == ["densenet161.tv_in1k"]
    assert shown.err.startswith("error: no model matches 'zzz'; ")
