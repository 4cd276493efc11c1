"""The texts beside published weights, read as densezoo reads them (the whole folder: tests/api/test_publishing.py)."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from densezoo.config import load_config
from densezoo.index.load import get_spec
from densezoo.index.metafile import entries_of
from densezoo.paths import RESULTS
from densezoo.results.publication import Publication, config_text, metafile_text
from densezoo.results.store import read_results
from densezoo.types import EvalResult, WeightSource
from densezoo.yaml_files import parse_yaml

SPEC = dataclasses.replace(get_spec("densenet_bc_22_8.densezoo_digits"), name="a.b", publisher="b", code=None)
WEIGHTS = WeightSource("torch", "safetensors", path="a.b-01234567.safetensors", sha256="01234567" + "0" * 56)
RESULT = next(result for result in read_results(RESULTS) if result.dataset == "digits")


def claims(*results: EvalResult) -> list[tuple[str, str, str | None]]:
    """(protocol, top-1, note) of every result of a metafile."""
    published = Publication(SPEC, WEIGHTS, "digits", None, [(each, each.protocol, "r.json") for each in results])
    (entry,) = entries_of(parse_yaml(metafile_text(published).encode(), Path("m.yml")), Path("m.yml"))
    assert entry.collection.code is None
    assert entry.model.weight_files == (WEIGHTS,)
    return [(str(each.protocol), str(each.metrics.top_1_accuracy), each.note) for each in entry.model.results]


def test_a_figure_keeps_the_digits_of_the_tables() -> None:
    own = dataclasses.replace(RESULT, weights_sha256=str(WEIGHTS.sha256))
    tenth = dataclasses.replace(own, top1=85.4)
    assert [top1 for _, top1, _ in claims(own, tenth)] == ["98.44", "85.40"]
    ((_, _, note),) = claims(RESULT)
    assert note == f"measured of the file with the sha256 {RESULT.weights_sha256}, whose weights these are to the bit"


def test_each_figure_is_its_own() -> None:
    text = metafile_text(Publication(SPEC, WEIGHTS, "digits", None, [(RESULT, RESULT.protocol, "r.json")]))
    assert f"Top 1 Accuracy: {RESULT.top1:.2f}\n" in text
    assert f"Top 5 Accuracy: {RESULT.top5:.2f}\n" in text
    assert RESULT.top1 < RESULT.top5


@pytest.mark.parametrize("unusual", [{"precision": "int8"}, {"backend": "openvino"}, {"subset": "fog/3"}])
def test_what_a_metafile_has_no_words_for_is_no_claim(unusual: dict[str, str]) -> None:
    assert claims(dataclasses.replace(RESULT, **unusual)) == []  # type: ignore[arg-type]  # texts


def test_a_recipe_that_lacks_a_field_says_nothing_of_it() -> None:
    text = metafile_text(Publication(SPEC, WEIGHTS, "digits", {"lr": 0.2}))
    assert "LR: 0.2" in text
    assert "Epochs" not in text
    assert "Batch Size" not in text


@pytest.mark.parametrize("name", ["densenetblur121d.ra_in1k", "rdnet_tiny.nv_in1k", "densenet_bc_22_8.densezoo_digits"])
def test_a_config_is_the_network(name: str, tmp_path: Path) -> None:
    arch, recipe = get_spec(name).architecture, {"epochs": 3, "batch_size": 8, "betas": [0.9, 0.99], "ema": None}
    path = tmp_path / "config.py"
    path.write_text(config_text(name, arch, "imagefolder", "torchvision", recipe))
    read = load_config(path)
    assert read.model == arch
    assert (read.dataset, read.protocol) == ("imagefolder", "torchvision")
    assert read.train is not None
    assert read.train.betas == (0.9, 0.99)
    path.write_text(config_text(name, arch, "imagefolder", "torchvision", None))
    assert load_config(path).train is None
