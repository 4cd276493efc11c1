"""What an evaluation does is decided before an image is read: whose weights, which network, which protocols."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from small_labels import NAMES, small_labels
from small_run import Evaluate, small_run

from densezoo import api
from densezoo.api import conversion, plan
from densezoo.api.plan import make_plan
from densezoo.config import load_config
from densezoo.conversion.match import read_network
from densezoo.errors import CheckpointError, ConfigError, DensezooError, ImageError
from densezoo.evaluation.options import LoadOptions, RunOptions
from densezoo.evaluation.run import Plan
from densezoo.families import architecture_values
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.paths import relative_to_root


@pytest.fixture
def evaluate(tmp_path: Path) -> Evaluate:
    return small_run(tmp_path)


@pytest.mark.parametrize(
    ("asked", "built", "same"),
    [
        ({}, {}, True),
        ({"drop_rate": 0.5}, {"drop_rate": 0.5}, True),  # of training alone
        ({"bn_eps": 0.5}, {"bn_eps": 0.5}, False),
        ({"bn_eps": 0.5}, {}, True),  # the file itself says which
    ],
)
def test_the_index_s_network_is_known_by_its_function(
    asked: dict[str, float], built: dict[str, float], same: bool
) -> None:
    spec = api.get_spec("densenet_bc_22_8.densezoo_digits")
    networks = (dataclasses.replace(spec.architecture, **each) for each in (asked, built))
    assert plan._is_network_of(spec, read_network(api.DEMO[1]), *networks) is same


def test_an_overridden_network_is_another_measurement(evaluate: Evaluate, tmp_path: Path) -> None:
    (plain,) = evaluate()
    (other,) = evaluate(overrides={"model.bn_eps": 0.5})
    assert other.model.startswith(f"{plain.model}-")
    assert (plain.architecture or {})["bn_eps"] == 1e-5
    assert (other.architecture or {})["bn_eps"] == 0.5
    assert other.loss != plain.loss
    assert len(list(tmp_path.glob("out/*/*.json"))) == 2


@pytest.mark.parametrize("what", ["evaluate", "convert"])
def test_a_checkpoint_that_is_replaced_while_it_is_read(
    evaluate: Evaluate, tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or one file's numbers would be stored under the other's sha256."""
    path = tmp_path / "small.safetensors"
    module, name = (plan, "read_network") if what == "evaluate" else (conversion, "load_checkpoint")
    load = getattr(module, name)

    def replace_then_load(*arguments: Any, **options: Any) -> object:
        other = api.create_model(load_config(tmp_path / "small.py").model)
        assert isinstance(other, DenseNet)
        write_safetensors(path, other.state_dict(), {})
        loaded = load(*arguments, **options)
        if what == "convert":  # reads its sha256 afterwards, or did
            write_safetensors(path, api.create_model(other.arch).state_dict(), {})
        return loaded

    monkeypatch.setattr(module, name, replace_then_load)
    with pytest.raises(CheckpointError, match="small.safetensors: was replaced while it was read .* start again"):
        evaluate() if what == "evaluate" else api.convert_checkpoint(path, tmp_path / "converted.safetensors")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("protocol", "error", "message"),
    [
        ("digits", ConfigError, r"takes images of 3 channels, and protocol digits gives 1 \(L\)"),
        ("none", ImageError, "has 2 x 2 pixels; protocol none takes images of 32 x 32 as they are"),
    ],
)
def test_a_network_that_the_protocol_does_not_fit(
    evaluate: Evaluate, tmp_path: Path, protocol: str, error: type[DensezooError], message: str
) -> None:
    for path in tmp_path.glob("val/*/*.png"):
        Image.new("RGB", (2, 2)).save(path)
    with pytest.raises(error, match=message):
        evaluate(names=[protocol])
    assert not list(tmp_path.glob("out/**/*.json"))


DIGITS = LoadOptions(*api.DEMO)


def planned(**load: Any) -> Plan:
    options = dataclasses.replace(DIGITS, **load)
    experiment = None if options.config is None else load_config(options.config, options.overrides)
    return make_plan(options, RunOptions(), "cpu", experiment)


def test_known_weights_have_the_index_s_name_protocol_and_hash() -> None:
    found = planned()
    facts = found.facts
    assert (facts.model, facts.weights_known_by) == ("densenet_bc_22_8.densezoo_digits", "published-hash")
    assert (facts.config, facts.dataset, facts.protocol) == (relative_to_root(api.DEMO[0]), "digits", "digits")
    assert facts.weights_sha256 == file_sha256(api.DEMO[1])
    assert (facts.dataset_fingerprint, facts.device, facts.subset) == ("", "cpu", None)  # no image is opened
    assert facts.architecture == json.loads(json.dumps(architecture_values(found.architecture)))
    assert [protocol.name for protocol in found.protocols] == ["digits"]
    assert found.subsets == [None]


def test_what_a_backend_computes_with_is_recorded() -> None:
    """So that a result says by which ONNX Runtime, and none is resumed by another."""
    pytest.importorskip("onnxruntime")
    asked = (RunOptions(backend=name) for name in ("auto", "onnxruntime"))
    versions = [make_plan(DIGITS, options, "cpu", load_config(api.DEMO[0])).facts.versions for options in asked]
    assert versions[1].keys() - versions[0].keys() == {"onnx", "onnxruntime"}


def test_without_a_config_the_plan_is_the_same() -> None:
    """What the index knows of the file stands for it."""
    with_config, without = planned().facts, planned(config=None).facts
    assert dataclasses.replace(without, date="") == dataclasses.replace(with_config, date="")


def test_an_overridden_network_has_a_name_of_its_own(tmp_path: Path) -> None:
    """Where the file says nothing against it; dropout changes no prediction."""
    checkpoint = tmp_path / "m.safetensors"
    write_safetensors(checkpoint, api.load_checkpoint(api.DEMO[1])[0].state_dict(), {})
    plain = f"densenet_bc_22_8_digits.{file_sha256(checkpoint)[:8]}"
    names = [planned(checkpoint=checkpoint, overrides={"model.bn_eps": eps}).facts.model for eps in (1e-4, 1e-4, 1e-3)]
    assert all(re.fullmatch(rf"{plain}-[0-9a-f]{{4}}", name) for name in names)
    assert names[0] == names[1] != names[2]
    assert planned(checkpoint=checkpoint).facts.model == plain
    assert planned(checkpoint=checkpoint, overrides={"dataset": "digits"}).facts.model == plain
    assert planned(overrides={"model.drop_rate": 0.5}).facts.model == "densenet_bc_22_8.densezoo_digits"


def test_all_protocols_are_those_of_the_same_kind() -> None:
    assert [protocol.name for protocol in planned(protocols=["all"]).protocols] == ["digits"]
    with pytest.raises(ConfigError) as caught:
        planned(protocols=["digits", "timm"])
    assert str(caught.value) == (
        "the network takes images of 1 channels, and protocol timm gives 3 (RGB); choose another protocol or checkpoint"
    )


def test_what_nobody_says_is_asked_for(tmp_path: Path) -> None:
    checkpoint = tmp_path / "m.safetensors"
    network = api.create_model(load_config(api.DEMO[0]).model)
    write_safetensors(checkpoint, network.state_dict(), {})
    for load in ({}, {"dataset": "digits"}, {"protocols": ["digits"]}):
        with pytest.raises(
            ConfigError, match=r"m.safetensors: doesn't say how it is used; give a config, or --dataset"
        ):
            planned(config=None, checkpoint=checkpoint, **load)
    facts = planned(config=None, checkpoint=checkpoint, dataset="digits", protocols=["digits"]).facts
    assert (facts.model, facts.weights_known_by) == (f"m.{file_sha256(checkpoint)[:8]}", None)


def test_weights_of_several_labels_an_image_have_no_top1(tmp_path: Path) -> None:
    network = api.create_model(load_config(api.DEMO[0]).model)
    checkpoint = tmp_path / "m.safetensors"
    write_safetensors(checkpoint, network.state_dict(), {"multi_label": True, "class_names": ["a"]})
    with pytest.raises(ConfigError, match="several labels an image, so that there is no top-1"):
        planned(config=None, checkpoint=checkpoint, dataset="digits", protocols=["digits"])


def test_a_model_s_name_for_another_network_is_refused() -> None:
    with pytest.raises(
        DensezooError, match=r"expected the weights of densenet121.lua_in1k, found those of densenet_bc"
    ):
        planned(model="densenet121.lua_in1k")


@pytest.mark.parametrize("stated", [{}, {"multi_label": None}, {"multi_label": False}])
def test_the_labels_are_in_the_order_that_the_weights_state(tmp_path: Path, stated: dict[str, object]) -> None:
    """Whether or not they say that an image has several; the CSV's columns are in another order."""
    weights, table = small_labels(tmp_path, **stated), tmp_path / "labels.csv"
    assert planned(config=None, checkpoint=weights, label_table=table, data_root=tmp_path).labels == NAMES
