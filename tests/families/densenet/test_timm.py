"""What timm writes beside its tensors: arguments of a training run, Hugging Face's config.json."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from examples import randomise_statistics
from safetensors.torch import save_file
from timm.layers.blur_pool import BlurPool2d
from timm.models.densenet import DenseNet as TimmDenseNet

import densezoo
from densezoo.errors import CheckpointError, FormatError
from densezoo.families.densenet import timm as timm_config
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.families.densenet.timm import NETWORKS, named_networks
from densezoo.formats import detect
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import Checkpoint

TENSORS = {"features.conv0.weight": torch.zeros(2, 3, 7, 7)}
PLAIN: dict[str, Any] = {"model": "densenet121", "gp": None, "bn_eps": None, "model_kwargs": {}}
SMALL = {"growth_rate": 8, "block_config": [2, 3], "num_classes": 5}  # arguments with which a test takes no minute
BLUR: dict[str, Any] = {"architecture": "densenetblur121d", "model_args": SMALL}


def read_checkpoint(path: Path) -> Checkpoint:
    """The file, with the networks that stand beside its tensors."""
    checkpoint = detect.read_checkpoint(path)
    return dataclasses.replace(checkpoint, described=named_networks(checkpoint))


def trained(tmp_path: Path, tensors: dict[str, torch.Tensor] = TENSORS, **arguments: object) -> Path:
    content = {"state_dict": tensors, "args": argparse.Namespace(**{**PLAIN, **arguments}), "version": 2}
    torch.save(content, tmp_path / "last.pth.tar")
    return tmp_path / "last.pth.tar"


def published(
    tmp_path: Path,
    weights: str = "model.safetensors",
    tensors: dict[str, torch.Tensor] = TENSORS,
    **facts: Any,
) -> Path:
    (tmp_path / "config.json").write_text(json.dumps({"architecture": "densenet121", "global_pool": "avg", **facts}))
    (save_file if weights.endswith("safetensors") else torch.save)(tensors, tmp_path / weights)
    return tmp_path / weights


def unseen(path: Path) -> dict[str, object]:
    """What a file's description says beyond what tensors show."""
    (network,) = read_checkpoint(path).described
    return {name: (network.fields or {}).get(name) for name in ("aa_layer", "aa_stem_only", "bn_eps")}


@pytest.mark.parametrize(
    ("arguments", "stated"),
    [
        ({}, (None, None, None)),
        ({"model": "densenetblur121d"}, ("blurpool", None, None)),
        ({"model": "densenetblur121d.ra_in1k", "bn_eps": 1e-3}, ("blurpool", None, 1e-3)),
        ({"model": "hf-hub:timm/densenetblur121d.ra_in1k"}, ("blurpool", None, None)),
        ({"model": "densenetblur121d", "model_kwargs": {"aa_stem_only": False}}, ("blurpool", False, None)),
    ],
)
def test_arguments_of_a_training_run(tmp_path: Path, arguments: dict[str, Any], stated: tuple[object, ...]) -> None:
    assert tuple(unseen(trained(tmp_path, **arguments)).values()) == stated


def test_arguments_of_another_script_and_of_a_folder_s_name_are_not_timm_s(tmp_path: Path) -> None:
    content = {"state_dict": TENSORS, "args": argparse.Namespace(model="densenet121", lr=0.1)}
    torch.save(content, tmp_path / "last.pth")
    assert read_checkpoint(tmp_path / "last.pth").described == ()
    assert read_checkpoint(trained(tmp_path, model="hf-hub:someone/my_network")).described == ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gp": "max"}, "says that the network has gp 'max'"),
        ({"model_kwargs": {"act_layer": "silu"}}, "says that the network has act_layer 'silu'"),
        ({"model_kwargs": {"norm_layer": "groupnorm1"}}, "says that the network has norm_layer 'groupnorm1'"),
        ({"model_kwargs": {"stem_type": "deep_tiered"}}, "says that the network has stem_type 'deep_tiered'"),
        ({"model_kwargs": {"aa_layer": "blurpool"}}, "says that the network has aa_layer 'blurpool'"),
        ({"model_kwargs": {"of_tomorrow": 1}}, "says that the network has of_tomorrow 1"),
    ],
)
def test_another_function_is_refused(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message):
        read_checkpoint(trained(tmp_path, **arguments))


def test_a_name_of_a_user_s_own_claims_nothing_but_its_arguments(tmp_path: Path) -> None:
    for name in ("densenet_small", "chestnet"):
        path = trained(tmp_path, plain_weights(), model=name, num_classes=5)
        assert densezoo.load_checkpoint(path)[1].exact
        written = densezoo.convert_checkpoint(path, tmp_path / "out.safetensors", verify=True)[1]
        (error,) = dict(written["verified"]).values()
        assert error == 0.0
    with pytest.raises(CheckpointError, match="says that the network is timm's densenet_small, num_classes 6; by its"):
        densezoo.load_checkpoint(trained(tmp_path, plain_weights(), model="densenet_small", num_classes=6))
    with pytest.raises(CheckpointError, match="says that the network has gp 'max'"):
        densezoo.load_checkpoint(trained(tmp_path, plain_weights(), model="densenet_small", gp="max"))
    with pytest.raises(CheckpointError, match="in its training arguments: says that the network is resnet50, none of"):
        densezoo.load_checkpoint(trained(tmp_path, plain_weights(), model="resnet50"))


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_hugging_faces_config(tmp_path: Path, weights: str) -> None:
    assert unseen(published(tmp_path, weights, architecture="densenetblur121d"))["aa_layer"] == "blurpool"
    with pytest.raises(CheckpointError, match=r"config.json: says that the network has act_layer 'silu'"):
        read_checkpoint(published(tmp_path, weights, model_args={"act_layer": "silu"}))
    with pytest.raises(CheckpointError, match="has global_pool 'catavgmax'"):
        read_checkpoint(published(tmp_path, weights, global_pool="catavgmax"))
    with pytest.raises(CheckpointError, match="model_args has aa_layer null"):
        read_checkpoint(published(tmp_path, weights, architecture="densenetblur121d", model_args={"aa_layer": None}))
    with pytest.raises(CheckpointError, match=r"expected the model's arguments by name; found \[1\]"):
        read_checkpoint(published(tmp_path, weights, model_args=[1]))
    assert read_checkpoint(published(tmp_path, weights, architecture=["DenseNet"])).described == ()
    other = published(tmp_path, "other.safetensors", global_pool="max")
    assert read_checkpoint(other).described == (), "the config is of the file with Hugging Face's name"
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(FormatError, match="config.json: describes .*, and can't be read"):
        read_checkpoint(tmp_path / weights)
    (tmp_path / "config.json").write_text("[]")
    assert read_checkpoint(tmp_path / weights).described == ()


@pytest.mark.parametrize("name", timm.list_models(module="densenet"))
def test_the_table_is_timm_s(name: str) -> None:
    with torch.device("meta"):
        theirs = timm.create_model(name)
        ours = DenseNet(DenseNetArchitecture(**NETWORKS[name]))  # type: ignore[arg-type]
    sizes = [{key: value.shape for key, value in network.state_dict().items()} for network in (ours, theirs)]
    assert sizes[0] == sizes[1]
    blurs = [key for key, module in theirs.named_modules() if isinstance(module, BlurPool2d)]
    assert bool(blurs) == (NETWORKS[name]["aa_layer"] == "blurpool")


def test_no_argument_of_timm_s_is_unknown() -> None:
    known = {*timm_config._FIELDS, *timm_config._EXPRESSED, *timm_config._IDLE}
    assert set(inspect.signature(TimmDenseNet).parameters) <= known


def plain_weights() -> dict[str, torch.Tensor]:
    arch = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
    return dict(randomise_statistics(DenseNet(arch)).state_dict())


def deep_weights() -> dict[str, torch.Tensor]:
    arch = DenseNetArchitecture(8, (2, 3), 16, stem="deep", num_classes=5)
    return dict(randomise_statistics(DenseNet(arch)).state_dict())


@pytest.mark.parametrize(
    ("facts", "said", "shown"),
    [
        (BLUR, "timm's densenetblur121d, stem deep", "stem imagenet"),
        (
            {"architecture": "densenet169"},
            r"timm's densenet169, growth_rate 32, block_config \(6, 12, 32, 32\), .*",
            r"growth_rate 8, block_config \(2, 3\)",
        ),
        ({"model_args": {**SMALL, "in_chans": 1}}, "timm's densenet121, in_chans 1", "in_chans 3"),
        ({"model_args": SMALL | {"bn_size": 2}}, "timm's densenet121, bn_size 2", "bn_size 4"),
        ({"model_args": {**SMALL, "num_classes": 10}}, "timm's densenet121, num_classes 10", "num_classes 5"),
        *(
            (
                {"architecture": name},
                f"{name}, none of timm's DenseNets",
                r"growth_rate 8, block_config \(2, 3\), .*stem imagenet",
            )
            for name in ("resnet50", "rdnet_tiny", "vit_base_patch16_224", "densenet264d_iabn")
        ),
    ],
)
def test_a_config_that_the_tensors_disprove(tmp_path: Path, facts: dict[str, Any], said: str, shown: str) -> None:
    path = published(tmp_path, tensors=plain_weights(), **facts)
    message = (
        rf"config\.json: says that the network is {said}; by its tensors .*model\.safetensors is a DenseNet of {shown}"
    )
    with pytest.raises(CheckpointError, match=message):
        densezoo.load_checkpoint(path)
    with pytest.raises(CheckpointError, match=message):
        densezoo.load_checkpoint(path, DenseNetArchitecture(8, (2, 3), 16, num_classes=5))


@pytest.mark.parametrize("name", timm.list_models(module="densenet"))
def test_every_name_of_timm_s_beside_a_densenet121(tmp_path: Path, name: str) -> None:
    with torch.device("meta"):
        shapes = timm.create_model("densenet121").state_dict()
    tensors = {key: torch.ones(value.shape, dtype=value.dtype) for key, value in shapes.items()}
    path = published(tmp_path, "pytorch_model.bin", tensors, architecture=name)
    if name == "densenet121":
        assert densezoo.load_checkpoint(path)[1].exact
    else:
        with pytest.raises(CheckpointError, match=f"says that the network is timm's {name}, "):
            densezoo.load_checkpoint(path)


def test_a_run_s_arguments_that_the_tensors_disprove(tmp_path: Path) -> None:
    path = trained(tmp_path, plain_weights(), model="densenet161")
    with pytest.raises(
        CheckpointError, match=r"last.pth.tar, in its training arguments: says that the network is timm"
    ):
        densezoo.load_checkpoint(path)


def test_what_a_file_and_the_config_beside_it_say_has_to_agree(tmp_path: Path) -> None:
    arch = DenseNetArchitecture(8, (2, 3), 16, stem="deep", num_classes=5)
    published(tmp_path, **BLUR)
    write_safetensors(tmp_path / "model.safetensors", deep_weights(), {"architecture": vars(arch)})
    with pytest.raises(CheckpointError, match=r"config.json: says aa_layer 'blurpool'; .*model.safetensors says None"):
        densezoo.load_checkpoint(tmp_path / "model.safetensors")


def test_of_an_incomplete_file_what_is_missing_is_said(tmp_path: Path) -> None:
    tensors = plain_weights()
    del tensors["classifier.weight"]
    with pytest.raises(CheckpointError, match=r"missing \(1\): classifier.weight"):
        densezoo.load_checkpoint(published(tmp_path, tensors=tensors, architecture="resnet50"))


@pytest.mark.parametrize(
    ("facts", "deep"),
    [
        ({"model_args": SMALL}, False),
        ({"model_args": {**SMALL, "stem_type": "deep"}}, True),
        (BLUR, True),
        ({**BLUR, "model_args": {**SMALL, "aa_stem_only": False, "drop_rate": 0.2}}, True),
        ({**BLUR, "model_args": {**SMALL, "stem_type": ""}}, False),
        ({"architecture": "tv_densenet121", "model_args": {**SMALL, "global_pool": "fast"}}, False),
    ],
)
@torch.inference_mode()
def test_the_network_that_timm_makes_of_a_config(tmp_path: Path, facts: dict[str, Any], deep: bool) -> None:
    tensors = deep_weights() if deep else plain_weights()
    path = published(tmp_path, tensors=tensors, **facts)
    name = str(facts.get("architecture", "densenet121")).removeprefix("tv_")
    theirs = timm.create_model(name, **facts["model_args"]).eval()
    theirs.load_state_dict(tensors)
    images = torch.randn(2, 3, 64, 64)
    assert torch.equal(densezoo.load_checkpoint(path)[0](images), theirs(images))
    written = densezoo.convert_checkpoint(path, tmp_path / "out.safetensors", verify=True)[1]
    assert written["verified"] == {"timm model.safetensors": 0.0}


def test_verification_does_not_share_a_wrong_assumption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the table wrong, or the caller, timm's own network would tell."""
    path = published(tmp_path, tensors=deep_weights(), **BLUR)
    monkeypatch.setitem(NETWORKS, "densenetblur121d", {**NETWORKS["densenetblur121d"], "aa_layer": None})
    with pytest.raises(CheckpointError, match="model.safetensors: in timm its logits differ from densezoo's by"):
        densezoo.convert_checkpoint(path, tmp_path / "out.safetensors", verify=True)


@pytest.mark.parametrize("aa_layer", ["blurpool", None])
def test_verification_by_the_tensors_alone_takes_timm_s_network_of_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, aa_layer: str | None
) -> None:
    monkeypatch.setattr(timm, "list_models", lambda module: ["densenetblur121d"])
    create_model = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, **sizes: create_model(name, **SMALL | sizes))
    torch.save(deep_weights(), tmp_path / "m.pth")
    arguments: dict[str, Any] = {"aa_layer": aa_layer, "verify": True}
    if aa_layer is None:
        with pytest.raises(CheckpointError, match="in timm its logits differ"):
            densezoo.convert_checkpoint(tmp_path / "m.pth", tmp_path / "out.safetensors", **arguments)
    else:
        written = densezoo.convert_checkpoint(tmp_path / "m.pth", tmp_path / "out.safetensors", **arguments)[1]
        assert written["verified"] == {"timm m.pth": 0.0}
