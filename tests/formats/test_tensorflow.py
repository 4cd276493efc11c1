"""TensorFlow's checkpoints, as TensorFlow wrote the fixture."""

from __future__ import annotations

import contextlib
import shutil
import tarfile
from pathlib import Path

import pytest
import torch

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

FOLDER = Path(__file__).resolve().parents[1] / "fixtures" / "formats" / "pudae"
INDEX, SHARD = "small.ckpt.index", "small.ckpt.data-00000-of-00001"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in (INDEX, SHARD):
        shutil.copy(FOLDER / name, tmp_path)
    return tmp_path


def test_the_checkpoint_in_an_archive(folder: Path) -> None:
    """As open_model_zoo has pudae's densenet161: index, numbers and graph in a .tar.gz."""
    (folder / "small.ckpt.meta").write_bytes(b"graph")
    with tarfile.open(folder / "tf.tar.gz", "w:gz") as archive:
        for name in (INDEX, SHARD, "small.ckpt.meta"):
            archive.add(folder / name, f"tf-densenet/{name}")
    packed, alone = read_checkpoint(folder / "tf.tar.gz"), read_checkpoint(folder / INDEX)
    assert packed.hints == (f"read: tf-densenet/{INDEX} in the archive",)
    assert packed.tensors.keys() == alone.tensors.keys()
    assert all(torch.equal(packed.tensors[name], tensor) for name, tensor in alone.tensors.items())
    assert alone.tensors["densenet121/conv1/weights"].shape == (7, 7, 3, 8)


def test_shapes_alone(folder: Path) -> None:
    tensor = read_checkpoint(folder / INDEX, shapes_only=True).tensors["densenet121/conv1/weights"]
    assert tensor.is_meta
    assert tensor.shape == (7, 7, 3, 8)


def test_an_index_without_its_numbers(folder: Path) -> None:
    (folder / SHARD).unlink()
    with pytest.raises(FormatError, match=f"expected its numbers beside it, {SHARD}"):
        read_checkpoint(folder / INDEX)


def test_numbers_that_are_cut_off(folder: Path) -> None:
    (folder / SHARD).write_bytes((folder / SHARD).read_bytes()[:-100])
    with pytest.raises(FormatError, match="should take .* bytes from byte"):
        read_checkpoint(folder / INDEX)


@pytest.mark.parametrize("kept", [60, 1000, 2200])
def test_a_truncated_index(folder: Path, kept: int) -> None:
    (folder / INDEX).write_bytes((folder / INDEX).read_bytes()[:kept])
    with pytest.raises(FormatError, match="index that is broken or truncated"):
        read_checkpoint(folder / INDEX)


def test_a_compressed_index(folder: Path) -> None:
    content = bytearray((folder / INDEX).read_bytes())
    end = content.rindex(b"\0\0\0\0\1\0\0\0")  # of the table of tables: one place to begin, and how many there are
    content[end + 8] = 1
    (folder / INDEX).write_bytes(content)
    with pytest.raises(FormatError, match="its index is compressed"):
        read_checkpoint(folder / INDEX)


@pytest.mark.parametrize("position", range(0, 2226, 23))
def test_a_damaged_index_is_read_or_refused(folder: Path, position: int) -> None:
    content = bytearray((folder / INDEX).read_bytes())
    content[position] ^= 0xFF
    (folder / INDEX).write_bytes(content)
    with contextlib.suppress(FormatError):
        read_checkpoint(folder / INDEX)
