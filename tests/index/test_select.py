from __future__ import annotations

import contextlib
import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import DensezooError, QueryError, UnknownNameError
from densezoo.index.listing import as_csv, as_json, print_table
from densezoo.index.load import load_index
from densezoo.index.select import FIELDS, MAX_LENGTH, compile_where, select

SPECS = tuple(load_index().values())


def names(pattern: str = "*", where: str | None = None, sort: str = "name") -> list[str]:
    return [spec.name for spec in select(SPECS, pattern, where, sort)]


def test_a_filter() -> None:
    found = names(where="top1 > 76 and params < 10e6 and dataset == 'imagenet1k'", sort="-top1")
    assert found == ["densenetblur121d.ra_in1k", "densenet121.pcv_in1k", "densenet121.ra_in1k"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("77 < top1 <= 77.138", ["densenet161.tv_in1k"]),
        ("arch in ['densenet161', 'densenet201'] and not top1 < 77", ["densenet161.tv_in1k"]),
        ("(params > 28e6 or params < 7.98e6) and tag == 'tv_in1k'", ["densenet121.tv_in1k", "densenet161.tv_in1k"]),
        ("'169' in name", ["densenet169.tv_in1k"]),
        ("epochs == 90 and batch_size == 32", ["densenet121.tv_in1k"]),
        ("top1 > -1 and num_classes != 1000", []),
    ],
)
def test_expressions(where: str, expected: list[str]) -> None:
    assert names("*.tv_in1k", where) == expected


def test_a_comparison_with_what_a_model_lacks_is_false() -> None:
    assert names("densenet264d*", "top1 > 0") == names("densenet264d*", "top1 <= 0") == []
    assert names("densenet264d*", "not top1 > 0") == ["densenet264d.untrained"]


def test_patterns_match_aliases() -> None:
    assert names("tv_*") == ["densenet121.tv_in1k"]


def test_models_without_the_field_come_last() -> None:
    ascending, descending = (names("densenet[12]*", sort=sort) for sort in ("top1", "-top1"))
    assert ascending[-1] == descending[-1] == "densenet264d.untrained"
    with_top1 = len(names("densenet[12]*", "top1 > 0"))
    figures = [
        spec.headline.top1 or 0 for spec in select(SPECS, "densenet[12]*", sort="-top1")[:with_top1] if spec.headline
    ]
    assert figures == sorted(figures, reverse=True)
    assert len(figures) == with_top1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("topp1 > 76", "there is no field 'topp1'; did you mean 'top1'?"),
        ("top1", "'top1' is no comparison"),
        ("top1 >", "can't be read as an expression"),
        ("top1 > 'high'", "not supported between"),
        ("top1 == '76'", "are never equal: one is a text"),
        ("top1 is 76", "'is' compares nothing here; write =="),
        ("top1 > 70 + 6", "'70 . 6' can't be compared"),
        ("name.upper() == 'X'", "can't be compared"),
        ("__import__('os').mkdir('ran') == 1", "can't be compared"),
        ("[x for x in name] == 1", "can't be compared"),
        ("[name] == 1", "is no constant"),
        ("76 in top1", "not iterable"),
        ("top1 > 1 or " * MAX_LENGTH, "characters; expected at most 1,000"),
        ("", "can't be read as an expression"),
    ],
)
def test_bad_expressions(where: str, message: str) -> None:
    with pytest.raises((QueryError, UnknownNameError), match=message.replace("?", r"\?")):
        names("*.tv_in1k", where)


NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.integers(-(10**9), 10**9)


@given(st.sampled_from(["<", "<=", "==", "!=", ">=", ">"]), NUMBERS)
def test_comparisons_are_python_s(operator: str, number: float) -> None:
    holds = compile_where(f"params {operator} {number!r}")
    for spec in SPECS[:5]:
        assert holds(spec) is eval(f"{spec.num_params} {operator} {number!r}")


@given(NUMBERS, NUMBERS)
def test_logic_is_python_s(low: float, high: float) -> None:
    both = compile_where(f"params > {low!r} and not (params >= {high!r} or params == 0)")
    for spec in SPECS[:5]:
        assert both(spec) is (low < spec.num_params < high)


@given(st.text(alphabet=st.sampled_from("top1params<>=! andornotin()[]'\"0123456789.,_-+*:\\x"), max_size=40))
def test_any_text_is_an_answer_or_an_error_of_ours(where: str) -> None:
    with contextlib.suppress(DensezooError):
        select(SPECS[:3], where=where)


def test_json_and_csv_have_every_field() -> None:
    specs = select(SPECS, "densenet264d*")
    (entry,) = json.loads(as_json(specs))
    assert list(entry) == list(FIELDS)
    assert (entry["params"], entry["top1"]) == (72_736_216, None)
    (line,) = csv.DictReader(io.StringIO(as_csv(specs)))
    assert (line["params"], line["top1"]) == ("72736216", "")


@pytest.mark.parametrize("variable", [("COLUMNS", "80"), ("COLUMNS", "20"), ("FORCE_COLOR", "1"), ("TERM", "dumb")])
def test_a_pipe_gets_whole_lines(
    variable: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable)
    print_table(select(SPECS), ["name", "config", "port_of", "publisher", "protocol", "license", "framework", "arch"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(SPECS)
    assert all(spec.name in line and spec.config in line for spec, line in zip(select(SPECS), lines[1:]))


def test_the_table_fits_110_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(select(SPECS))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    (line,) = (line for line in lines if line.startswith("densenet121.tv_in1k "))
    assert line.split() == "densenet121.tv_in1k imagenet1k torchvision 74.434 91.972 7.98 M 2.83 G".split()


def test_an_unknown_column_suggests() -> None:
    with pytest.raises(UnknownNameError, match="no field 'parms'; did you mean 'params'"):
        print_table(SPECS, ["parms"])
