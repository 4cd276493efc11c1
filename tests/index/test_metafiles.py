from __future__ import annotations

from pathlib import Path

import modelindex
import pytest
import yaml

from densezoo import api
from densezoo.errors import MetafileError, UnknownNameError
from densezoo.formats.read import file_sha256
from densezoo.index.load import find_by_sha256, get_spec, load_index
from densezoo.models.topology import num_params
from densezoo.paths import ROOT

DICE = "deaefd082911a1c6c92aacdcfecf03c71b932acc5c08b779c85c44eccdc0c817"


def test_the_model_index_package_reads_the_same_models() -> None:
    index = modelindex.load(str(ROOT / "model-index.yml"))
    assert index.check(silent=True) == []
    assert {model.name for model in index.models} == set(load_index())


def test_parameters_are_the_architecture_s() -> None:
    for spec in load_index().values():
        assert spec.num_params == num_params(spec.architecture), spec.name


def test_a_published_result_to_the_last_digit() -> None:
    (reported,) = (r for r in get_spec("densenet161.tv_in1k").reported if r.published_by == "torchvision")
    assert (reported.top1, reported.top5, reported.protocol) == (77.138, 93.560, "torchvision")
    assert "IMAGENET1K_V1" in reported.where


def test_files_are_known_by_their_sha256() -> None:
    dice = find_by_sha256(DICE)
    assert dice is not None
    assert (dice.name, dice.protocol, dice.license) == ("densenet_bc_100_12.dice_cifar10", "cifar-dice", "MIT")
    by_prefix = find_by_sha256("a639ec97" + "0" * 56)
    assert by_prefix is not None
    assert by_prefix.name == "densenet121.tv_in1k"
    assert find_by_sha256("0" * 64) is None


def test_the_embedded_checkpoint_is_the_one_the_index_names() -> None:
    spec = find_by_sha256(file_sha256(api.DEMO[1]))
    assert spec is not None
    (source,) = spec.weights
    assert source.path is not None
    assert ROOT / source.path == api.DEMO[1]
    assert ROOT / spec.config == api.DEMO[0]
    assert source.file_size == api.DEMO[1].stat().st_size <= 300_000


def test_an_unknown_model_suggests() -> None:
    with pytest.raises(
        UnknownNameError, match=r"there is no model 'densenet121.tv_in1'; did you mean 'densenet121.tv_in1k'"
    ):
        get_spec("densenet121.tv_in1")


def write_index(folder: Path, **changes: object) -> Path:
    model = {
        "Name": "densenet121.mine",
        "In Collection": "mine",
        "Config": "configs/densenet121.py",
        "Protocol": "torchvision",
        "Metadata": {"Parameters": 7978856, "FLOPs": {"torchvision": 1}},
    }
    collection = {"Name": "mine", "Paper": {"URL": "https://example.org"}, "Code": {"URL": "https://example.org"}}
    model = {key: value for key, value in {**model, **changes}.items() if value is not None}
    (folder / "mine.yml").write_text(yaml.safe_dump({"Collections": [collection], "Models": [model]}))
    (folder / "model-index.yml").write_text("Import: [mine.yml]\n")
    return folder / "model-index.yml"


def test_a_metafile_of_one_s_own(tmp_path: Path) -> None:
    assert load_index(write_index(tmp_path))["densenet121.mine"].num_params == 7978856


RESULT = {"Task": "t", "Dataset": "d", "Protocol": "timm", "Metrics": {"Top 1 Accuracy": 1.0}, "Published By": "p"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Protcol": "timm"}, "unknown key 'protcol'; did you mean 'protocol'?"),
        ({"Config": None}, "the key 'config' is missing"),
        ({"Config": "configs/densenet12.py"}, "Config: .*there is no such config file"),
        ({"Protocol": "tim"}, "Protocol: there is no 'tim'; did you mean 'timm'?"),
        ({"In Collection": "yours"}, "In Collection: there is no 'yours' in this file"),
        ({"Metadata": {"Parameters": "8M", "FLOPs": {}}}, "metadata: parameters is '8M'; expected a whole number"),
        ({"Results": [RESULT]}, "results.0.: the key 'where' is missing"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {"Top 1 Accuracy": "75%"}}]}, "top_1_accuracy is '75%'"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(MetafileError, match=rf"mine.yml: model densenet121.mine: .*{message}".replace("?", r"\?")):
        load_index(write_index(tmp_path, **changes))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Import: mine.yml", "expected 'Import:' with a list of metafiles"),
        ("Imports: []", "expected 'Import:' with a list"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.mkdir [ran]", "not YAML: could not determine a constructor"),
        ("Import: [missing.yml]", "missing.yml: can't be read"),
    ],
)
def test_a_bad_index(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "model-index.yml").write_text(text)
    with pytest.raises(MetafileError, match=message):
        load_index(tmp_path / "model-index.yml")


def test_a_model_twice(tmp_path: Path) -> None:
    path = write_index(tmp_path)
    path.write_text("Import: [mine.yml, mine.yml]\n")
    with pytest.raises(MetafileError, match="model densenet121.mine: also in"):
        load_index(path)
