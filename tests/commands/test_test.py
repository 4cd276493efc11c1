"""An evaluation as a user runs it: what it prints and stores, what it says when something is wrong."""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import forked
import pytest
import torch
import torchvision
from examples import randomise_statistics
from PIL import Image
from safetensors.torch import save_file
from small_run import numbers

from densezoo import api
from densezoo.config import load_config
from densezoo.paths import ROOT

Tool = Callable[..., int]
CONFIG, CHECKPOINT = api.DEMO


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """val/<wnid>/*.JPEG of three ImageNet classes."""
    root = tmp_path_factory.mktemp("imagenet")
    for i, wnid in enumerate(("n01440764", "n01443537", "n15075141")):
        (root / "val" / wnid).mkdir(parents=True)
        for j in range(2):
            noise = torch.randint(0, 256, (300 + 7 * i, 280 + j, 3), dtype=torch.uint8).numpy()
            Image.fromarray(noise).save(root / "val" / wnid / f"{j}.JPEG")
    return root


@pytest.fixture
def densenet169(tmp_path: Path) -> Path:
    """A state_dict of torchvision's own densenet169."""
    path = tmp_path / "densenet169.pth"
    torch.save(randomise_statistics(torchvision.models.densenet169()).state_dict(), path)
    return path


SMALL = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config of a small ImageNet network, and its weights as torch.save writes them."""
    config = tmp_path_factory.mktemp("small") / "small.py"
    config.write_text(SMALL)
    torch.manual_seed(0)
    torch.save(api.create_model(load_config(config).model).state_dict(), config.with_suffix(".pth"))
    return config, config.with_suffix(".pth")


def test_densenet169_from_torchvision_on_photographs(
    tool: Tool, photographs: Path, densenet169: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data-root", photographs, "--out", tmp_path, "--workers", 0, "--device", "cpu"]
    assert tool("test", "configs/densenet169.py", densenet169, *options) == 0
    shown = capsys.readouterr()
    assert "of 6 images" in shown.out
    assert "images/s" in shown.err
    (path,) = tmp_path.glob("imagenet1k/densenet169.*@torchvision.json")
    assert f"stored: {path}" in shown.out

    model = torchvision.models.densenet169()
    model.load_state_dict(torch.load(densenet169, weights_only=True))
    preset = torchvision.models.DenseNet169_Weights.IMAGENET1K_V1.transforms()
    labels = {"n01440764": 0, "n01443537": 1, "n15075141": 999}
    with torch.inference_mode():
        hits = [
            labels[file.parent.name] in model.eval()(preset(Image.open(file))[None]).topk(5).indices[0].tolist()
            for file in sorted(photographs.glob("val/*/*.JPEG"))
        ]
    assert json.loads(path.read_text())["correct5"] == sum(hits)


def test_a_tar_of_pngs_and_another_protocol(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    network = tmp_path / "cifar.safetensors"
    overrides = {"model.growth_rate": 4, "model.block_config": (1, 1, 1)}
    config = ROOT / "configs/cifar/densenet_bc_100_12_cifar10.py"
    torch.manual_seed(0)
    model = randomise_statistics(api.create_model(load_config(config, overrides).model))
    save_file(model.state_dict(), network)
    with tarfile.open(tmp_path / "cifar.tar", "w") as tar:
        for label in range(10):
            Image.new("RGB", (32, 32), (label * 20, 0, 0)).save(tmp_path / "image.png")
            tar.add(tmp_path / "image.png", f"test/{label}/a.png")
    options = ["--cfg-options", "model.growth_rate=4", "model.block_config=(1,1,1)", "--workers", 0, "--device", "cpu"]
    arguments = [config, network, "--data-root", tmp_path / "cifar.tar", "--out", tmp_path, "--protocol", "cifar-dice"]
    assert tool("test", *arguments, *options) == 0
    assert "protocol cifar-dice" in capsys.readouterr().out
    (stored,) = tmp_path.glob("cifar10/*@cifar-dice.json")
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)))
    reds = torch.zeros(10, 3, 32, 32)
    reds[:, 0] = torch.arange(10).view(-1, 1, 1) * 20 / 255
    with torch.inference_mode():
        hits = model((reds - mean) / std).topk(5).indices == torch.arange(10)[:, None]
    result = json.loads(stored.read_text())
    assert (result["correct1"], result["correct5"]) == (int(hits[:, 0].sum()), int(hits.sum()))


def test_known_weights_are_named(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy = tmp_path / "anything.bin"
    shutil.copy(CHECKPOINT, copy)
    assert tool("test", CONFIG, copy, "--out", tmp_path, "--workers", 0, "--device", "cpu") == 0
    assert "densenet_bc_22_8.densezoo_digits on digits, protocol digits" in capsys.readouterr().out


def test_from_any_folder(tmp_path: Path) -> None:
    network = "configs/digits/densenet_bc_22_8_digits.py"
    options = ["--out", str(tmp_path), "--workers", "0", "--device", "cpu"]
    done = forked.run([ROOT / "tools/test.py", network, CHECKPOINT, *options], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "top-1" in done.stdout


@pytest.fixture
def broken(tmp_path: Path, photographs: Path) -> Iterator[Path]:
    """A folder of everything that a user can get wrong; results/ in it gets no result, at most a run's state."""
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html><body>Sign in</body></html>")
    (tmp_path / "half.safetensors").write_bytes(CHECKPOINT.read_bytes()[:5000])
    (tmp_path / "empty").mkdir()
    shutil.copytree(photographs, tmp_path / "undecodable")
    (tmp_path / "undecodable" / "val" / "n01443537" / "0.JPEG").write_bytes(b"\xff\xd8 no image")
    (tmp_path / "range" / "1000").mkdir(parents=True)
    (tmp_path / "range" / "1000" / "a.png").write_bytes(b"")
    yield tmp_path
    assert not list(tmp_path.glob("results/*/[!.]*"))


DIGITS = str(CONFIG)
WRONG = {
    "a missing file": ([DIGITS, "{dir}/missing.pth"], "{dir}/missing.pth: there is no such checkpoint file"),
    "a directory": ([DIGITS, "{dir}/empty"], "{dir}/empty: is a directory; expected a checkpoint file"),
    "an HTML page": ([DIGITS, "{dir}/page.pth"], "{dir}/page.pth: this is an HTML page"),
    "a truncated file": ([DIGITS, "{dir}/half.safetensors"], "{dir}/half.safetensors: a safetensors file by its first"),
    "another architecture": (
        ["configs/densenet169.py", str(CHECKPOINT)],
        f"{CHECKPOINT}: does not hold the expected network",
    ),
    "no images": (["{config}", "{weights}", "--data-root", "{dir}/empty"], "{dir}/empty: no images found"),
    "no such root": (["{config}", "{weights}", "--data-root", "{dir}/nowhere"], "{dir}/nowhere: there is no such file"),
    "no root": (["{config}", "{weights}"], "imagenet1k needs --data-root"),
    "a label out of range": (
        ["{config}", "{weights}", "--data-root", "{dir}/range"],
        "{dir}/range/1000: label 1000 is out of range; expected 0 to 999",
    ),
    "an undecodable image": (
        ["{config}", "{weights}", "--data-root", "{dir}/undecodable"],
        "{dir}/undecodable/val/n01443537/0.JPEG: can't be decoded",
    ),
    "an unknown protocol": ([DIGITS, str(CHECKPOINT), "--protocol", "digit"], "did you mean 'digits'?"),
    "a config of another place": (["configs/densenet170.py", str(CHECKPOINT)], "there is no such config file"),
    "a misspelt option": (
        [DIGITS, str(CHECKPOINT), "--cfg-options", "model.growthrate=8"],
        "model: unknown key 'growthrate'; did you mean 'growth_rate'?",
    ),
    "no such device": ([DIGITS, str(CHECKPOINT), "--device", "abacus"], "--device abacus: "),
}


@pytest.mark.parametrize("case", WRONG)
def test_one_message_and_status_1(
    tool: Tool, broken: Path, small: tuple[Path, Path], case: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, message = WRONG[case]
    paths = {"dir": str(broken), "config": str(small[0]), "weights": str(small[1])}
    arguments = [argument.format(**paths) for argument in arguments]
    assert tool("test", *arguments, "--workers", 0, "--out", broken / "results") == 1
    shown = capsys.readouterr()
    error = shown.err[shown.err.index("error: ") :]
    assert message.format(**paths) in error
    assert "Traceback" not in shown.err
    assert shown.err.count("error: ") == 1
    assert shown.out == ""


def test_more_classes_than_logits(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--cfg-options", "model.num_classes=7", "--out", tmp_path]
    assert tool("test", CONFIG, CHECKPOINT, *options) == 1
    assert "num_classes is 10, expected 7" in capsys.readouterr().err


def test_executable_from_the_shell() -> None:
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_a_converted_file_needs_no_config(
    tool: Tool, small: tuple[Path, Path], photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    converted = tmp_path / "converted.safetensors"
    assert tool("convert", small[1], converted) == 0
    options = ["--data-root", photographs, "--out", tmp_path, "--workers", 0, "--device", "cpu"]
    assert tool("test", converted, *options, "--dataset", "imagenet1k", "--protocol", "timm") == 0
    assert "of 6 images" in capsys.readouterr().out
    assert tool("test", converted, *options) == 1
    assert "doesn't say how it is used; give a config, or --dataset and --protocol" in capsys.readouterr().err


def test_weights_of_the_index_need_no_config(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool("test", CHECKPOINT, "--out", tmp_path, "--workers", 0, "--device", "cpu") == 0
    assert "densenet_bc_22_8.densezoo_digits on digits, protocol digits" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_config_and_checkpoint_swapped(
    tool: Callable[..., int], tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config, checkpoint = api.DEMO
    copy = (tmp_path / "weights").with_suffix(suffix)
    copy.write_bytes(checkpoint.read_bytes())
    assert tool("test", copy, config) == 1
    expected = f"error: config and checkpoint are swapped: expected {config} {copy}, the config first\n"
    assert capsys.readouterr().err == expected
    assert tool("test", config) == 1
    assert f"{config}: is a config; a checkpoint goes after it: CONFIG.py CHECKPOINT" in capsys.readouterr().err
    assert tool("train", copy) == 1
    assert f"{copy}: expected a config, a .py file such as" in capsys.readouterr().err


def test_predictions_of_another_extension_are_refused_before_any_work(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("test", CONFIG, tmp_path / "there is no such file.pth", "--predictions", tmp_path / "a.csv") == 1
    assert "a.csv: the extension says what is written: expected, for a predictions file, .parquet; found .csv" in (
        capsys.readouterr().err
    )


def test_a_sample_is_told_as_one_and_stored_nowhere(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    common = ("test", CHECKPOINT, "--out", tmp_path / "out", "--workers", 0, "--device", "cpu", "--limit")
    assert tool(*common, 30, "--predictions", "few.parquet") == 0
    shown = capsys.readouterr().out
    assert "  A SAMPLE: 30 of 899 images, evenly spaced over the classes; no result of the dataset\n" in shown
    assert " of 30 images\n" in shown
    assert shown.endswith("  not stored, because of --limit\n")
    assert tool(*common, 30, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    (result,) = found["results"]
    assert (found["stored"], result["sampled_from"], result["num_samples"]) == ([], 899, 30)
    assert (result["coverage"]["expected"], result["coverage"]["scored"]) == (899, 30)
    assert tool("analyze", "few.parquet") == 0
    assert capsys.readouterr().out.startswith(
        f"{result['model']} on digits, protocol digits, 30 of 899 images, a sample"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["few.parquet"]
    assert tool(*common, 30, "--resume") == 1
    assert "--limit keeps nothing that --resume could go on from" in capsys.readouterr().err


def test_a_limit_that_takes_all_images_measures_what_a_whole_run_does(tool: Tool, tmp_path: Path) -> None:
    whole = api.evaluate_protocols(CONFIG, CHECKPOINT, workers=0, device="cpu")
    limited = api.evaluate_protocols(CONFIG, CHECKPOINT, workers=0, device="cpu", limit=899, out=tmp_path / "out")
    assert [numbers(result) for result in limited] == [numbers(result) for result in whole]
    assert not (tmp_path / "out").exists()


def test_a_sample_meets_no_expectation(tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "there is no such file.pth"
    assert tool("test", CONFIG, missing, "--expect", 90, "--limit", 30) == 1
    assert "--expect is a top-1 of all images, and --limit measures a sample; leave one out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--cfg-options", "model.bn_size=2"], "--cfg-options model.bn_size: overrides a field of a config, and none"),
        (["--tta", "flop"], "there is no test-time augmentation 'flop'; did you mean 'flip'?"),
        (["--backend", "eagre"], "there is no backend 'eagre'; did you mean 'eager'?"),
    ],
)
def test_what_is_refused_of_a_model_s_name_is_before_its_weights_are_fetched(
    tool: Tool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str], message: str
) -> None:
    monkeypatch.setattr(api, "fetch_weights", lambda name: pytest.fail("they are fetched"))
    assert tool("test", "densenet121.tv_in1k", "--data-root", ".", *options) == 1
    assert message in capsys.readouterr().err
