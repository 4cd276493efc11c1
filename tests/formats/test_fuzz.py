"""A short run of tools/fuzz_formats.py over every reader."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import densezoo
from densezoo.formats.fuzzing import mutate, try_one
from densezoo.formats.read import read_checkpoint
from tests.hdf5_writer import write_model

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
ENDINGS = (".ckpt", ".params", ".caffemodel", ".npz", ".pdparams", ".onnx", ".pt", ".h5", ".pth", ".dat", ".keras")


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize("path", sorted(p for p in FOLDER.rglob("*") if p.suffix in ENDINGS), ids=lambda p: p.name)
def test_mutations_load_or_are_refused(path: Path) -> None:
    densezoo.load_checkpoint(path)
    for seed in range(25):
        try_one(path, seed, densezoo.load_checkpoint)


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize(("libver", "track_order"), [(None, True), ("v108", True), ("latest", False)])
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


def test_mutations_repeat() -> None:
    data = bytes(range(256)) * 10
    assert mutate(data, 7) == mutate(data, 7) != mutate(data, 8)
