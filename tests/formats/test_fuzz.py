"""A short run of tools/fuzz_formats.py over every reader."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import densezoo
from densezoo.formats.fuzzing import mutate, try_one

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
ENDINGS = (".ckpt", ".params", ".caffemodel", ".npz", ".pdparams", ".onnx", ".pt", ".h5", ".pth", ".dat", ".keras")


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.parametrize("path", sorted(p for p in FOLDER.rglob("*") if p.suffix in ENDINGS), ids=lambda p: p.name)
def test_mutations_load_or_are_refused(path: Path) -> None:
    densezoo.load_checkpoint(path)
    for seed in range(25):
        try_one(path, seed, densezoo.load_checkpoint)


def test_the_control_a_hungry_reader_is_caught(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    with pytest.raises(densezoo.errors.FormatError, match="MiB"):
        try_one(tmp_path / "a", 0, lambda path: b"\1" * (200 << 20))


def test_mutations_repeat() -> None:
    data = bytes(range(256)) * 10
    assert mutate(data, 7) == mutate(data, 7) != mutate(data, 8)
