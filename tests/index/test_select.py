from __future__ import annotations

import contextlib
import csv
import io
import json
from collections.abc import Sequence

import pytest
from examples import example_result
from hypothesis import given
from hypothesis import strategies as st

from densezoo.errors import DensezooError, QueryError, UnknownNameError
from densezoo.index.listing import as_csv, as_json, print_table
from densezoo.index.load import load_index
from densezoo.index.search import matching
from densezoo.index.select import FIELDS, MAX_LENGTH, advice, compile_where, select
from densezoo.results.accuracies import accuracies
from densezoo.types import Accuracy, EvalResult, ModelSpec

SPECS = tuple(load_index().values())


def found(pattern: str = "*", where: str | None = None, sort: str = "name", *measured: EvalResult) -> list[Accuracy]:
    """What is selected among the models that a pattern matches, with these results beside what is published."""
    specs, _ = matching(pattern, SPECS)
    return select(all_accuracies(specs, *measured), where, sort)


def all_accuracies(specs: Sequence[ModelSpec], *measured: EvalResult) -> list[list[Accuracy]]:
    return [accuracies(spec, measured) or [Accuracy(spec)] for spec in specs]


def names(pattern: str = "*", where: str | None = None, sort: str = "name") -> list[str]:
    return [accuracy.spec.name for accuracy in found(pattern, where, sort)]


def test_a_filter() -> None:
    chosen = names(where="top1 > 76 and params < 10e6 and dataset == 'imagenet1k'", sort="-top1")
    assert chosen == ["densenetblur121d.ra_in1k", "densenet121.pcv_in1k", "densenet121.ra_in1k"]


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
    chosen = found("densenet[12]*", sort="-top1")[:with_top1]
    top1s = [accuracy.reported.top1 for accuracy in chosen if accuracy.reported and accuracy.reported.top1]
    assert top1s == sorted(top1s, reverse=True)
    assert len(top1s) == with_top1


def test_without_dataset_and_protocol_it_is_about_the_weights_own_protocol() -> None:
    for accuracy in found("densenet*"):
        headline = accuracy.spec.headline
        assert accuracy.reported is headline
    assert names("densenet121.ra_in1k", "75.5 < top1 < 75.6") == []  # 75.574 is under timm, its own is timm-288


def test_every_published_result_is_found_by_its_protocol_and_dataset() -> None:
    for spec in SPECS:
        for result in spec.reported:
            if result.top1 is None:
                continue
            where = f"dataset == {result.dataset.rstrip('+')!r}"
            if result.protocol is not None:
                where += f" and protocol == {result.protocol!r}"
            where += f" and published_by == {result.published_by!r} and top1 == {float(result.top1)!r}"
            (accuracy,) = found(spec.name, where)
            assert accuracy.reported is not None
            assert (accuracy.reported.dataset, accuracy.reported.top1) == (result.dataset, result.top1)


def test_a_protocol_alone_is_about_the_first_dataset_and_a_dataset_alone_about_the_own_protocol() -> None:
    (accuracy,) = found("densenet121.ra_in1k", "protocol == 'timm' and top1 > 75")
    assert accuracy.reported is not None
    assert (accuracy.reported.dataset, accuracy.reported.top1) == ("imagenet1k", 75.574)
    (accuracy,) = found("densenet121.ra_in1k", "dataset == 'imagenet-a'")
    assert (accuracy.protocol, accuracy.reported and accuracy.reported.top1) == ("timm-288", 7.2)
    assert names("densenet121.ra_in1k", "dataset == 'imagenet-a' and protocol == 'torchvision'") == []


def test_what_was_measured() -> None:
    results = [example_result(), example_result(protocol="mmpretrain", top1=75.0)]
    (own,) = found("densenet121.tv_in1k", "measured_top1 > 74", "name", *results)
    assert (own.reported and own.reported.top1, own.measured) == (74.434, results[0])
    (other,) = found("densenet121.tv_in1k", "measured_top1 > 74.5 and measured_images == 50000", "name", *results)
    assert (other.protocol, other.measured) == ("mmpretrain", results[1])
    (dated,) = found("densenet121*", "measured_on == '2026-11-20'", "-measured_top1", *results)
    assert dated.spec.name == "densenet121.tv_in1k"
    assert found("densenet121.tv_in1k", "measured_top1 > 74") == []


def test_flops_are_those_at_the_size_of_the_accuracy() -> None:
    (at_288,), (at_224,) = (found("densenet121.ra_in1k", f"protocol == {name!r}") for name in ("timm-288", "timm"))
    assert (FIELDS["flops"].value(at_288), FIELDS["flops"].value(at_224)) == (4_684_374_016, 2_834_161_664)


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("protocol == 'timmm'", "; no model's protocol is 'timmm'; did you mean 'timm'?"),
        ("top1 > 1 and published_by == 'tim'", "; no model's published_by is 'tim'; did you mean 'timm'?"),
        ("top1 == 99", ""),
        ("protocol == 'timm' and top1 > 99", ""),
    ],
)
def test_an_expression_that_holds_for_nothing(where: str, said: str) -> None:
    assert found(where=where) == []
    assert advice(all_accuracies(SPECS), where) == said


def test_several_patterns() -> None:
    specs, vain = matching(["densenet161", "*.caffe_in1k", "nothing", "densenet161.tv*"], SPECS)
    assert vain == ["nothing"]
    assert [spec.name for spec in specs] == sorted({spec.name for spec in specs}, key=[s.name for s in SPECS].index)
    assert {spec.name for spec in specs} == {*names("densenet161"), *names("*.caffe_in1k")}


def test_an_architecture_s_name_finds_all_its_models() -> None:
    assert names("densenet121") == sorted(spec.name for spec in SPECS if spec.arch == "densenet121")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("topp1 > 76", "there is no field 'topp1'; did you mean 'top1'?"),
        ("publisher == Acme", "config; a text stands in quotes: 'Acme'"),
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
        assert holds(Accuracy(spec)) is eval(f"{spec.num_params} {operator} {number!r}")


@given(NUMBERS, NUMBERS)
def test_logic_is_python_s(low: float, high: float) -> None:
    both = compile_where(f"params > {low!r} and not (params >= {high!r} or params == 0)")
    for spec in SPECS[:5]:
        assert both(Accuracy(spec)) is (low < spec.num_params < high)


@given(st.text(alphabet=st.sampled_from("top1params<>=! andornotin()[]'\"0123456789.,_-+*:\\x"), max_size=40))
def test_any_text_is_an_answer_or_an_error_of_ours(where: str) -> None:
    with contextlib.suppress(DensezooError):
        select(all_accuracies(SPECS[:3]), where)


def test_json_and_csv_have_every_field() -> None:
    accuracy = found("densenet264d*")
    (entry,) = json.loads(as_json(accuracy))
    assert list(entry) == list(FIELDS)
    assert (entry["params"], entry["top1"]) == (72_736_216, None)
    (line,) = csv.DictReader(io.StringIO(as_csv(accuracy)))
    assert (line["params"], line["top1"]) == ("72736216", "")


@pytest.mark.parametrize("variable", [("COLUMNS", "80"), ("COLUMNS", "20"), ("FORCE_COLOR", "1"), ("TERM", "dumb")])
def test_a_pipe_gets_whole_lines(
    variable: tuple[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*variable)
    print_table(found(), ["name", "config", "port_of", "publisher", "protocol", "license", "framework", "arch"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(SPECS)
    assert all(f.spec.name in line and f.spec.config in line for f, line in zip(found(), lines[1:]))


def test_the_table_fits_110_columns(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(found())
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 110
    (line,) = (line for line in lines if line.startswith("densenet121.tv_in1k "))
    assert line.split() == "densenet121.tv_in1k imagenet1k torchvision 74.434 91.972 7.98 M 2.83 G".split()


def test_an_unknown_column_suggests() -> None:
    with pytest.raises(UnknownNameError, match="no field 'parms'; did you mean 'params'"):
        print_table(found(), ["parms"])
