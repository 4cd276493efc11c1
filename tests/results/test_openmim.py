"""The index as OpenMIM reads it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import modelindex
import pytest
import yaml

from densezoo.index.load import get_spec, load_index
from densezoo.paths import ROOT
from densezoo.results.openmim import openmim_index

PATH = ROOT / "model-index.yml"


@cache
def models() -> Mapping[str, Mapping[str, Any]]:
    """{name: entry} of what is made now."""
    return {entry["Name"]: entry for entry in yaml.safe_load(openmim_index(load_index().values()))["Models"]}


def test_model_index_reads_it_and_finds_nothing_wrong() -> None:
    index = modelindex.load(str(PATH))
    assert len(list(index.models)) == len(models())
    assert not index.check(silent=True)


def test_mmpretrain_registers_it() -> None:
    hub = pytest.importorskip("mmpretrain.apis.model").ModelHub
    hub.register_model_index(PATH)
    config = hub.get("densenet121.tv_in1k").config
    assert config.model.block_config == (6, 12, 24, 16)


def test_every_model_with_a_file_that_is_served_is_one_entry() -> None:
    index = load_index()
    assert "densenet121.tv_in1k" in models()
    assert set(models()) <= set(index)
    for name in index.keys() - models().keys():
        assert not any((source.url or "").startswith("https://github.com/") for source in index[name].weights), name
    text = yaml.safe_load(PATH.read_text())
    names = [entry["Name"] for entry in text["Models"]]
    assert len(names) == len(set(names))


def test_an_entry_has_what_openmim_compares() -> None:
    entry = models()["densenet121.tv_in1k"]
    assert entry["In Collection"] == "densenet121"
    assert entry["Config"] == "configs/densenet121.py"
    assert entry["Weights"].startswith("https://download.pytorch.org/")
    metadata = entry["Metadata"]
    assert metadata["FLOPs"] == 2_834_161_664
    assert metadata["Parameters"] == 7_978_856
    assert (metadata["Image Size"], metadata["Crop Pct"], metadata["Interpolation"]) == (224, 0.875, "bilinear")
    (imagenet,) = (result for result in entry["Results"] if result["Dataset"] == "imagenet1k")
    assert imagenet["Metrics"] == {"Top 1 Accuracy": 74.434, "Top 5 Accuracy": 91.972}


def test_the_flops_are_those_at_the_protocols_size() -> None:
    assert get_spec("densenet121.ra_in1k").protocol == "timm-288"
    assert models()["densenet121.ra_in1k"]["Metadata"]["FLOPs"] == 4_684_374_016  # 288 px


def test_no_value_is_a_mapping() -> None:
    for name, entry in models().items():
        for key, value in entry["Metadata"].items():
            assert isinstance(value, str | int | float | list), (name, key)
            assert not isinstance(value, list) or all(isinstance(item, str) for item in value), (name, key)


def test_readmes_and_configs_are_there() -> None:
    content = yaml.safe_load(PATH.read_text())
    for collection in content["Collections"]:
        assert (PATH.parent / collection["README"]).is_file(), collection["Name"]
    for name, entry in models().items():
        assert (ROOT / entry["Config"]).is_file(), name


def test_the_file_stands_where_openmim_looks() -> None:
    included = (ROOT / "pyproject.toml").read_text()
    assert '"model-index.yml" = "densezoo/.mim/model-index.yml"' in included
