"""tools/test.py under other protocols, and on the sets whose scoring is their own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from densezoo import api
from densezoo.config import load_config
from densezoo.evaluation.predictions import read_predictions
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.protocols import get_protocol, same_kind

CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
"""


@pytest.fixture
def run(tmp_path: Path, tool: Callable[..., int]) -> Callable[..., int]:
    """run(*options): a small ImageNet network on 6 images of 3 classes, results in tmp_path/out."""
    torch.manual_seed(0)
    (tmp_path / "small.py").write_text(CONFIG)
    network = api.create_model(load_config(tmp_path / "small.py").model)
    write_safetensors(tmp_path / "small.safetensors", network.state_dict(), {})
    for i, wnid in enumerate(["n01443537", "n01484850", "n01498041"] * 2):  # all in ImageNet-R, the last one in -A
        path = tmp_path / "val" / wnid / f"ILSVRC2012_val_{i + 1:08d}.JPEG"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(i).integers(0, 256, (30, 40, 3), np.uint8)).save(path)

    def run(*options: object) -> int:
        fixed = ("--data-root", tmp_path / "val", "--out", tmp_path / "out", "--workers", 0, "--device", "cpu")
        return tool("test", tmp_path / "small.py", tmp_path / "small.safetensors", *fixed, *options)

    return run


def on_one_image(tmp_path: Path) -> tuple[object, ...]:
    """Options for a large network, whose name alone matters: one of `run`'s images, and no backend to prepare."""
    for path in sorted((tmp_path / "val").glob("*/*"))[1:]:
        path.unlink()
    folders = ("--data-root", tmp_path / "val", "--out", tmp_path / "out")
    return (*folders, "--workers", 0, "--device", "cpu", "--backend", "eager")


def results(tmp_path: Path, dataset: str = "imagenet1k") -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text()) for path in (tmp_path / "out" / dataset).iterdir()]
    return {result["protocol"]: result for result in found}


def test_another_protocol(run: Callable[..., int], tmp_path: Path) -> None:
    assert run("--protocol", "mmpretrain") == 0
    assert run() == 0
    assert set(results(tmp_path)) == {"mmpretrain", "torchvision"}


def test_all_protocols_are_each_what_they_are_alone(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--protocol", "all") == 0
    lines = capsys.readouterr().out.splitlines()
    together = results(tmp_path)
    assert set(together) == {protocol.name for protocol in same_kind(get_protocol("torchvision"))}
    assert all(any(line.split()[0] == name and "top-1" in line for line in lines[1:]) for name in together)
    for name in ("torch7", "caffe", "timm-288"):
        assert run("--protocol", name) == 0
    alone = results(tmp_path)
    for name, result in together.items():
        assert (result["correct1"], result["correct5"]) == (alone[name]["correct1"], alone[name]["correct5"])
        assert result["num_samples"] == 6


def test_an_unknown_protocol(run: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--protocol", "mmpretran") == 1
    assert "there is no protocol 'mmpretran'; did you mean 'mmpretrain'?" in capsys.readouterr().err


@pytest.mark.parametrize(("dataset", "images"), [("imagenet-real", None), ("imagenet-r-clean", 6), ("imagenet-a", 2)])
def test_datasets_with_a_scoring_of_their_own(
    run: Callable[..., int], tmp_path: Path, dataset: str, images: int | None
) -> None:
    assert run("--cfg-options", f"dataset={dataset}") == 0
    (result,) = results(tmp_path, dataset).values()
    assert images in (None, result["num_samples"])
    assert 0 < result["num_samples"] <= 6


def test_imagenet_c_in_one_command(run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each set has its own result; a run that was killed goes on after those that are stored."""
    sets = ["gaussian_noise/3", "fog/1", "fog/2"]
    for subset in sets:
        shutil.copytree(tmp_path / "val", tmp_path / "c" / subset)
    options = ("--dataset", "imagenet-c", "--data-root", tmp_path / "c", "--resume")
    assert run(*options, "--subset", "fog/1") == 0
    (stored,) = (tmp_path / "out" / "imagenet-c").iterdir()
    assert stored.name.endswith("@torchvision+fog_1.json")
    first = stored.read_bytes()
    assert run(*options) == 0
    assert stored.read_bytes() == first
    found = [json.loads(path.read_text()) for path in (tmp_path / "out" / "imagenet-c").iterdir()]
    assert sorted(result["subset"] for result in found) == sorted(sets)
    shown = capsys.readouterr().out
    assert all(f"\n  torchvision+{subset} " in shown for subset in sets)
    assert run(*options, "--predictions", tmp_path / "p.parquet") == 1
    assert "--predictions takes one subset, found 3; choose one by --subset" in capsys.readouterr().err
    given: dict[str, Any] = {"dataset": "imagenet-c", "data_root": tmp_path / "c", "out": tmp_path / "out"}
    given |= {"subset": "all", "names": ["torchvision", "caffe"], "resume": True, "workers": 0, "device": "cpu"}
    both = api.evaluate_protocols(tmp_path / "small.py", tmp_path / "small.safetensors", **given)
    assert [(r.subset, r.protocol) for r in both] == [(s, p) for s in sets for p in ("torchvision", "caffe")]


def test_a_state_of_a_later_set_is_refused_before_the_first_is_measured(
    run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for subset in ("fog/1", "fog/2"):
        shutil.copytree(tmp_path / "val", tmp_path / "c" / subset)
    broken = sorted((tmp_path / "c" / "fog/2").rglob("*.JPEG"))[-1]
    broken.write_bytes(b"broken")
    options = ("--dataset", "imagenet-c", "--data-root", tmp_path / "c", "--batch-size", 1)
    assert run(*options, "--subset", "fog/2") == 1
    assert run(*options) == 1
    assert "torchvision+fog_2.rank0.state: holds 5 records of an interrupted run" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/imagenet-c/*.json"))
    assert run(*options, "--resume", "--on-error", "count-wrong") == 0


def test_the_user_s_word_for_weights(
    tool: Callable[..., int], run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = api.create_model("densenet121.lua_in1k")
    write_safetensors(tmp_path / "mine.safetensors", network.state_dict(), {})
    fixed = (*on_one_image(tmp_path), "--dataset", "imagenet1k", "--protocol", "timm")
    assert tool("test", tmp_path / "mine.safetensors", *fixed, "--model", "densenet121.lua_in1k") == 0
    (result,) = results(tmp_path).values()
    assert (result["model"], result["weights_known_by"]) == ("densenet121.lua_in1k", "user")
    assert "densenet121.lua_in1k (weights known by the user's word) on imagenet1k" in capsys.readouterr().out

    assert tool("test", tmp_path / "mine.safetensors", *fixed, "--model", "densenet121.tv_in1") == 1
    assert "there is no model 'densenet121.tv_in1'; did you mean" in capsys.readouterr().err
    assert tool("test", tmp_path / "mine.safetensors", *fixed, "--model", "densenet169.lua_in1k") == 1
    assert "block_config is (6, 12, 24, 16), expected (6, 12, 32, 32)" in capsys.readouterr().err
    assert run("--model", "densenet121.lua_in1k") == 1  # another network's config and file
    assert "expected 32" in capsys.readouterr().err
    other = ("--cfg-options", "model.ceil_mode=True", "--model", "densenet121.lua_in1k")
    assert tool("test", "configs/densenet121.py", tmp_path / "mine.safetensors", *fixed, *other) == 1
    expected = "expected the network of densenet121.lua_in1k (configs/densenet121.py), found another one"
    assert expected in capsys.readouterr().err
    assert len(results(tmp_path)) == 1


def test_a_config_that_changes_the_network_takes_its_name_away(
    tool: Callable[..., int], run: Callable[..., int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout is for training, and changes nothing."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    path = tmp_path / "home/weights/densenet121.mindcv_in1k/densenet121-120_5004_Ascend.ckpt"
    path.parent.mkdir(parents=True)
    write_safetensors(path, api.create_model("densenet121.mindcv_in1k").state_dict(), {})
    path.with_name(f"{path.name}.json").write_text(json.dumps({"sha256": file_sha256(path)}))
    fixed = on_one_image(tmp_path)
    names = []
    for option in ("model.drop_rate=0.5", "model.ceil_mode=True"):
        assert tool("test", "configs/densenet121.py", path, *fixed, "--cfg-options", option, "--protocol", "timm") == 0
        names.append(results(tmp_path)["timm"]["model"])
        shutil.rmtree(tmp_path / "out")
    assert names[0] == "densenet121.mindcv_in1k"
    assert names[1].startswith(f"densenet121.{file_sha256(path)[:8]}-")  # and not that of the plain config's either


def test_a_list_by_option(run: Callable[..., int], tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    paths = sorted((tmp_path / "val").glob("*/*"), key=lambda path: path.name)
    for path in paths:
        (flat / path.name).write_bytes(path.read_bytes())
    (tmp_path / "list").write_text("".join(f"{path.parent.name}\n" for path in paths))
    assert run("--data-root", flat, "--labels", tmp_path / "list") == 0
    (by_list,) = results(tmp_path).values()
    assert run() == 0
    (by_folder,) = results(tmp_path).values()
    assert by_list["dataset_fingerprint"] == by_folder["dataset_fingerprint"]


def test_a_class_map_by_option(run: Callable[..., int], tmp_path: Path) -> None:
    (tmp_path / "map.txt").write_text("n01443537 5\nn01484850 6\nn01498041 7\n")
    assert run("--cfg-options", "dataset=imagefolder", "--class-map", tmp_path / "map.txt") == 0
    assert results(tmp_path, "imagefolder")["torchvision"]["num_samples"] == 6


def test_naming_a_protocol_imports_no_torch_and_using_one_does() -> None:
    code = "import sys, densezoo; assert 'torch' not in sys.modules; print(densezoo.get_protocol('timm').protocol.crop)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "224\n"


def test_a_protocol_of_one_s_own(run: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.yml").write_text(
        "name: mine\nmean: [0.5, 0.5, 0.5]\nstd: [0.5, 0.5, 0.5]\nresize: 36\ninterpolation: bicubic\ncrop: 32\n"
    )
    assert run("--protocol", tmp_path / "mine.yml", "--predictions", tmp_path / "a.parquet") == 0
    shown = capsys.readouterr().out
    (path,) = (tmp_path / "out").rglob("*.json")
    stored = json.loads(path.read_text())
    name, own = stored["protocol"], stored["own_protocol"]
    assert name == f"mine~{own['sha256'][:12]}"
    assert own["fields"]["crop"] == 32
    assert f"{name} is a protocol of your own, sha256 {own['sha256']}" in shown
    assert read_predictions(tmp_path / "a.parquet").facts.own_protocol is not None
    path.unlink()
    assert run("--mean", "0.5", "--std", "0.5,0.5,0.5", "--img-size", 32, "--in-chans", 3) == 0
    (path,) = (tmp_path / "out").rglob("*.json")
    changed = json.loads(path.read_text())
    assert changed["protocol"].startswith("changed-torchvision~")
    assert (changed["own_protocol"]["fields"]["crop"], changed["own_protocol"]["fields"]["resize"]) == (32, 37)
