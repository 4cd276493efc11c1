"""Every output: loaded by the system it is for, and read back bit for bit."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from densenet_sources import as_densenet
from examples import randomise_statistics

import densezoo
from densezoo.commands import convert as convert_command
from densezoo.config import load_config
from densezoo.conversion.export import TARGETS, export, extensions, misfits
from densezoo.conversion.match import convert, recognise
from densezoo.conversion.verify import largest_error
from densezoo.errors import CheckpointError, UnknownNameError
from densezoo.families import families, get_family
from densezoo.families.claims import num_params
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.capabilities import SYSTEMS
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.safetensors import write_safetensors

REPOSITORY = Path(__file__).resolve().parents[2]
SMALL = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
CONFIGS = sorted((REPOSITORY / "configs").rglob("*.py"))
DENSENET121 = load_config(REPOSITORY / "configs/densenet121.py").model
WRITTEN = [name for name, system in get_family("densenet").systems.items() if system.write]
CONFIGURED = {load_config(path).model for path in CONFIGS if "_base_" not in path.parts}
ARCHITECTURES = sorted(
    {arch for arch in CONFIGURED if isinstance(arch, DenseNetArchitecture)},
    key=lambda arch: (num_params(arch), repr(arch)),
)
SIZES = {"growth_rate", "block_config", "num_init_features", "num_classes", "drop_rate"}  # what no writer branches on


def round_trips() -> list[object]:
    """Every published architecture; all but the smallest of those that differ in sizes alone are slow.

    Where the smallest is large, a smaller one stands for it, but for densenet121.
    """
    kinds: set[tuple[object, ...]] = set()
    cases: list[object] = []
    for arch in ARCHITECTURES:
        kind = tuple(value for name, value in vars(arch).items() if name not in SIZES)
        large = num_params(arch) > 1_000_000 and arch != DENSENET121
        marks = [pytest.mark.slow] if kind in kinds or large else []
        cases.append(pytest.param(arch, marks=marks, id=f"{num_params(arch)}"))
        if large and kind not in kinds:
            small = dataclasses.replace(arch, growth_rate=8, block_config=(2, 3), num_init_features=16)
            cases.append(pytest.param(small, id=f"{num_params(arch)} made small"))
        kinds.add(kind)
    unpublished: dict[str, dict[str, Any]] = {
        "max": {"transition_pool": "max"},
        "ceil": {"transition_pool": "max", "ceil_mode": True},
        "same": {"stem_padding": "same", "pool_padding": "same"},
    }
    return [*cases, *(pytest.param(dataclasses.replace(SMALL, **v), id=k) for k, v in unpublished.items())]


def same_function(one: DenseNetArchitecture, other: DenseNetArchitecture) -> bool:
    return {**vars(one), "drop_rate": 0.0, "stem_ceil_mode": one.stem_ceil_mode or False} == {
        **vars(other), "drop_rate": 0.0, "stem_ceil_mode": other.stem_ceil_mode or False,
    }  # fmt: skip


@pytest.mark.parametrize("to", WRITTEN)
@pytest.mark.parametrize("arch", round_trips())
def test_round_trip(tmp_path: Path, arch: DenseNetArchitecture, to: str) -> None:
    if misfits(to, arch):
        with pytest.raises(CheckpointError, match="DenseNet can't have"):
            export(tmp_path / "m", to, arch, {}, {})
        return
    state_dict = randomise_statistics(DenseNet(arch)).state_dict()
    export(tmp_path / "m", to, arch, state_dict, {"architecture": vars(arch)})
    found, again, _ = convert(read_checkpoint(tmp_path / "m"), arch if arch.stem == "deep" else None)
    assert again.keys() == state_dict.keys()
    assert all(torch.equal(again[name], state_dict[name]) for name in state_dict)
    assert same_function(as_densenet(found), arch)


@pytest.mark.parametrize("to", ["torchvision", "timm", "mmpretrain", "onnx", "keras"])
@pytest.mark.parametrize(
    ("reduction", "stem"),
    [
        *((0.5, stem) for stem in ("imagenet", "deep", "cifar_norm")),
        (0.7, "cifar"),
        *(pytest.param(0.7, stem, marks=pytest.mark.slow) for stem in ("imagenet", "deep", "cifar_norm")),
        pytest.param(0.5, "cifar", marks=pytest.mark.slow),
    ],
)
def test_the_system_computes_the_same(tmp_path: Path, to: str, stem: str, reduction: float) -> None:
    arch = DenseNetArchitecture(8, (2, 3), 16, reduction=reduction, stem=stem, num_classes=5)  # type: ignore[arg-type]
    if misfits(to, arch):
        pytest.skip("the system has no such network")
    source = tmp_path / "m.safetensors"
    write_safetensors(source, randomise_statistics(DenseNet(arch)).state_dict(), {"architecture": vars(arch)})
    path = tmp_path / f"m{next(end for end, made in extensions(*families()).items() if to in made)}"
    written = densezoo.convert_checkpoint(source, path, to=to, verify=True)[1]
    error = dict(written["verified"])[f"{to} {path.name}"]
    assert isinstance(error, float), error
    assert error < 2e-6


@pytest.mark.parametrize("side", [64, 75])
@pytest.mark.filterwarnings("ignore")  # Keras's own
def test_keras_pads_as_same_where_the_network_does(tmp_path: Path, side: int) -> None:
    arch = DenseNetArchitecture(8, (2, 3), 16, stem_padding="same", pool_padding="same", num_classes=5)
    network = randomise_statistics(DenseNet(arch))
    export(tmp_path / "m.keras", "keras", arch, network.state_dict(), {})
    images = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(0))
    error = largest_error("keras", tmp_path / "m.keras", network, arch, images)
    assert isinstance(error, float), error
    assert error < 2e-6


def test_what_a_system_can_t_have_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    source = tmp_path / "m.safetensors"
    arch = DenseNetArchitecture(8, (2, 3), 16, bn_eps=1e-4, transition_pool="max", num_classes=5)
    write_safetensors(source, DenseNet(arch).state_dict(), {"architecture": vars(arch)})
    with pytest.raises(
        CheckpointError, match=r"torchvision's DenseNet can't have bn_eps 0.0001, transition_pool 'max'"
    ):
        densezoo.convert_checkpoint(source, tmp_path / "out.pth", to="torchvision")
    assert [path.name for path in tmp_path.iterdir()] == ["m.safetensors"]
    with pytest.raises(UnknownNameError, match="there is no target 'onxx'; did you mean 'onnx'"):
        densezoo.convert_checkpoint(source, tmp_path / "out", to="onxx")


@pytest.mark.parametrize("to", WRITTEN)
@pytest.mark.parametrize(
    ("name", "reason"), [("folder/m", "there is no folder"), ("n" * 300, "too long"), ("", "regular")]
)
def test_a_place_that_can_t_be_written_is_an_error_and_stays(tmp_path: Path, to: str, name: str, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason):
        export(tmp_path / name, to, SMALL, DenseNet(SMALL).state_dict(), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("to", WRITTEN)
def test_what_reads_back_otherwise_is_not_written(tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    right = SYSTEMS[to].write
    assert right is not None

    def write(path: Path, arch: DenseNetArchitecture, state_dict: Mapping[str, torch.Tensor], facts: object) -> None:
        right(path, arch, {**state_dict, "classifier.bias": state_dict["classifier.bias"] + 1}, {})

    monkeypatch.setitem(SYSTEMS, to, dataclasses.replace(SYSTEMS[to], write=write))
    (tmp_path / "m").write_bytes(b"before")
    with pytest.raises(CheckpointError, match=r"m: would read back as another network \(classifier.bias\)"):
        export(tmp_path / "m", to, SMALL, DenseNet(SMALL).state_dict(), {})
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"before"]


@pytest.mark.parametrize("to", WRITTEN)
def test_a_device_is_not_replaced_by_a_file(tmp_path: Path, to: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="is no regular file"):
        export(tmp_path / "pipe", to, SMALL, DenseNet(SMALL).state_dict(), {})
    assert (tmp_path / "pipe").is_fifo()


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    """In a process of its own: the limit is the process's."""
    code = (
        "import resource, sys; from pathlib import Path; from densezoo.conversion.export import export; "
        "from densezoo.errors import CheckpointError; from densezoo.families.densenet.network import DenseNet; "
        "from densezoo.families.densenet.architecture import DenseNetArchitecture; "
        "arch = DenseNetArchitecture(8, (2, 3), 16, num_classes=5); "
        "weights = DenseNet(arch).state_dict(); limits = resource.getrlimit(resource.RLIMIT_FSIZE)\n"
        "for to in sys.argv[2:]:\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, limits[1]))\n"
        "    try: export(Path(sys.argv[1]), to, arch, weights, {})\n"
        "    except CheckpointError as error: print(to, error)\n"
        "    finally: resource.setrlimit(resource.RLIMIT_FSIZE, limits)  # coverage writes, too"
    )
    ran = forked.run(["-c", code, tmp_path / "m", *WRITTEN], cwd=REPOSITORY)
    assert (ran.returncode, ran.stderr) == (0, "")
    refused = [line.split() for line in ran.stdout.splitlines() if f"{tmp_path / 'm'}: can't be written" in line]
    assert [to for to, *_ in refused] == WRITTEN
    assert not list(tmp_path.iterdir())


def test_safetensors_carry_everything(tmp_path: Path) -> None:
    arch = DenseNetArchitecture(8, (2, 3), 15, reduction=0.7, pool_padding="same", bn_eps=2e-5, num_classes=5)
    write_safetensors(tmp_path / "m", DenseNet(arch).state_dict(), {"architecture": vars(arch)})
    _, report = densezoo.load_checkpoint(tmp_path / "m")
    assert report.architecture == arch
    with pytest.raises(CheckpointError, match="and the file says"):
        densezoo.load_checkpoint(tmp_path / "m", bn_eps=1e-5)


def test_every_target_has_an_extension_and_is_an_option() -> None:
    assert set(convert_command.TARGETS) == set(TARGETS)
    assert {to for made in extensions(*families()).values() for to in made} == set(TARGETS)


@pytest.mark.parametrize(
    ("name", "to", "system", "start"),
    [
        ("m.safetensors", (), "densezoo", None),
        ("m.onnx", (), "onnx", b"\x08"),
        ("M.ONNX", ("--to", "onnx"), "onnx", b"\x08"),
        ("m.keras", (), "keras", b"PK"),
        ("m.pth", (), "torchvision", b"PK"),
        ("m.pt", ("--to", "timm"), "timm", b"PK"),
        ("m.pth.tar", ("--to", "mmpretrain"), "mmpretrain", b"PK"),
    ],
)
def test_the_extension_decides(
    tmp_path: Path,
    tool: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    name: str,
    to: tuple[str, ...],
    system: str,
    start: bytes | None,
) -> None:
    source = REPOSITORY / "tests/fixtures/formats/torchvision/small_legacy.pth"
    assert tool("convert", source, tmp_path / name, *to) == 0
    assert f"written: {tmp_path / name} ({system}), read back" in capsys.readouterr().out
    expected = "mmpretrain" if system == "mmpretrain" else system if system in ("onnx", "keras") else "torchvision"
    checkpoint = read_checkpoint(tmp_path / name)
    assert (checkpoint.source or recognise(checkpoint).keymap.name).startswith(expected)
    assert start is None or (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("m.onnx", ("--to", "keras"), r"m.onnx: .onnx is for onnx, not for keras, .*name the file .keras, or ask"),
        ("m.onnx", ("--to", "densezoo"), r"not for densezoo, .*name the file .safetensors"),
        ("m.safetensors", ("--to", "timm"), r".safetensors is for densezoo, .*name the file .pth or .pt or .pth.tar"),
        ("m.pth", ("--to", "densezoo"), r".pth is for torchvision, timm, mmpretrain, naver, not for densezoo"),
        ("m.h5", (), r"m.h5: the extension says .*: expected, .*.safetensors \(densezoo\), .*.keras; found .h5"),
        ("m.weights.h5", ("--to", "keras"), "found .h5"),
        ("m", ("--to", "onnx"), "found none"),
        ("m.onnx.part", (), "found .part"),
    ],
)
def test_an_extension_that_contradicts_or_is_unknown_is_refused_before_any_work(
    tmp_path: Path,
    tool: Callable[..., int],
    capsys: pytest.CaptureFixture[str],
    name: str,
    to: tuple[str, ...],
    message: str,
) -> None:
    assert tool("convert", tmp_path / "there is no such file.pth", tmp_path / name, *to) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_the_command(tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]) -> None:
    source = REPOSITORY / "tests/fixtures/formats/mindvision/small.ckpt"
    assert tool("convert", source, tmp_path / "m.safetensors", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["source"] == "mindvision"
    assert report["architecture"]["transition_pool"] == "max"
    assert tool("convert", source, tmp_path / "m.pth") == 1
    assert "can't have" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tool("convert", source, tmp_path / "m.pth", "--options", "bn_eps")
    assert "argument --options: 'bn_eps' is not KEY=VALUE" in capsys.readouterr().err
    assert tool("convert_lua", source, tmp_path / "n.safetensors") == 0
    assert (tmp_path / "n.safetensors").read_bytes() == (tmp_path / "m.safetensors").read_bytes()
