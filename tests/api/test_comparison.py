"""Models side by side, against what the index has of each."""

from __future__ import annotations

import sys

import pytest

import densezoo
from densezoo.errors import MissingDependencyError, QueryError, UnknownNameError

MODELS = ["densenet121.tv_in1k", "rdnet_tiny.nv_in1k", "densenet_bc_22_8.densezoo_digits"]


def test_a_row_a_model() -> None:
    table = densezoo.compare(MODELS)
    assert list(table.index) == MODELS
    first = table.loc["densenet121.tv_in1k"]
    assert (first["dataset"], first["protocol"]) == ("imagenet1k", "torchvision")
    assert (first["published top-1"], first["parameters"], first["multiply-adds"]) == (74.434, 7978856, 2834161664)
    (measured,) = densezoo.find_models(MODELS[2])
    assert measured.measured is not None
    assert table.loc[MODELS[2], "measured top-1"] == measured.measured.top1
    assert table["published top-1"].isna().tolist() == [False, False, True]
    assert str(table["parameters"].dtype) == "Int64"
    assert table["images/s"].dtype == float
    assert "<table" in table._repr_html_()


def test_another_protocol_and_entries() -> None:
    spec = densezoo.get_spec(MODELS[0])
    table = densezoo.compare([spec, MODELS[1]], where="protocol == 'timm'")
    assert table.loc[spec.name, "protocol"] == "timm"
    assert table.loc[spec.name, "published top-1"] != 74.434


def test_what_there_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'densenet121.tv_in1k'"):
        densezoo.compare(["densenet121.tv_in1"])
    with pytest.raises(QueryError):
        densezoo.compare(MODELS, where="top1 >")
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingDependencyError, match=r"a table of models needs pandas.*\[notebooks\]"):
        densezoo.compare(MODELS)
