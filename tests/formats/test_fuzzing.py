"""A short run of tools/fuzz_formats.py over every reader."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hdf5_writer import write_model
from torchvision.models import DenseNet as TorchvisionDenseNet

import densezoo
from densezoo.conversion.export import export
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.fuzzing import mutate, try_one

pytestmark = pytest.mark.usefixtures("untraced")

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
TORCH7 = [FOLDER.parent / "torch7" / f"{name}.t7" for name in ("00_tiny_bc_d10_k4", "05_dpt_basic", "06_ascii")]
OPTIONS = {f"formats/{case['file']}": case["options"] for case in json.loads((FOLDER / "cases.json").read_text())}
ENDINGS = (
    ".ckpt", ".zip", ".params", ".caffemodel", ".npz", ".pdparams", ".onnx", ".pt", ".h5", ".pth", ".dat", ".keras",
)  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize(
    "path", [*sorted(p for p in FOLDER.rglob("*") if p.suffix in ENDINGS), *TORCH7], ids=lambda p: p.name
)
def test_mutations_load_or_are_refused(path: Path) -> None:
    options = OPTIONS.get(path.relative_to(FOLDER.parent).as_posix(), {})

    def load(path: Path) -> object:
        return densezoo.load_checkpoint(path, **options)

    load(path)
    for seed in range(25):
        try_one(path, seed, load)


def exported(path: Path, arch: DenseNetArchitecture) -> None:
    torch.export.save(
        torch.export.export(TorchvisionDenseNet(8, (2, 3), 16).eval(), (torch.zeros(1, 3, 64, 64),)), path
    )


WRITTEN: dict[str, Callable[[Path, DenseNetArchitecture], None]] = {
    "safetensors": lambda path, arch: export(path, "densezoo", arch, DenseNet(arch).state_dict(), {}),
    "keras3": lambda path, arch: export(path, "keras", arch, DenseNet(arch).state_dict(), {}),
    "torch-export": exported,
}


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize("format", WRITTEN)
def test_mutations_of_formats_without_a_fixture(tmp_path: Path, format: str) -> None:
    WRITTEN[format](tmp_path / "m", DenseNetArchitecture(8, (2, 3), 16))
    assert densezoo.load_checkpoint(tmp_path / "m")[1].format == format
    for seed in range(25):
        try_one(tmp_path / "m", seed, densezoo.load_checkpoint)


def test_every_format_is_mutated() -> None:
    paths = [path for path in FOLDER.rglob("*") if path.suffix in ENDINGS]
    formats = {read_checkpoint(path).format for path in (*paths, *TORCH7)} | WRITTEN.keys()
    readers = {"caffe", "keras-h5", "mindspore", "mxnet", "npz", "onnx", "paddle", "pytorch", "torch7", "torchscript"}
    assert formats == readers | WRITTEN.keys()


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize(
    ("libver", "track_order"), [(None, True), pytest.param("v108", True, marks=pytest.mark.slow), ("latest", False)]
)
def test_mutations_of_newer_hdf5(tmp_path: Path, libver: str | None, track_order: bool) -> None:
    pytest.importorskip("h5py")
    write_model(tmp_path / "m.h5", libver, track_order, layers=16)
    read_checkpoint(tmp_path / "m.h5")
    loaded = sum(try_one(tmp_path / "m.h5", seed, read_checkpoint) for seed in range(200))
    assert 0 < loaded < 200


def test_the_control_a_hungry_reader_is_caught(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(densezoo.errors.FormatError, match="MiB"):
        try_one(tmp_path / "a", 0, lambda path: b"\1" * (200 << 20))


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
def test_a_hungry_reader_is_caught_where_freed_memory_is_kept(tmp_path: Path) -> None:
    """In a process of its own, as after a network was computed there: malloc has more than the reader takes."""
    program = """
from pathlib import Path
from densezoo.errors import FormatError
from densezoo.formats.fuzzing import try_one
from densezoo.malloc import keep_freed_memory
keep_freed_memory()
before = b"1" * (300 << 20)
del before
try:
    try_one(Path("a"), 0, lambda path: b"1" * (200 << 20))
except FormatError as error:
    assert "MiB" in str(error)
else:
    raise SystemExit("not caught")
"""
    (tmp_path / "a").write_bytes(b"x" * 100)
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)


def test_mutations_repeat() -> None:
    data = bytes(range(256)) * 10
    assert mutate(data, 7) == mutate(data, 7) != mutate(data, 8)
