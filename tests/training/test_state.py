"""State files: whole or not there, read without a pickle, the last ones kept."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from densezoo.errors import TrainingError
from densezoo.training import state as states
from densezoo.training.state import State, last_state, read_state, state_files, write_state

STATE = State(
    {"a": torch.arange(6.0).view(2, 3), "b": torch.tensor(7), "c": torch.ones(2, dtype=torch.bfloat16)},
    {"progress": {"step": 3, "epochs": 1}, "rate": 0.1 + 0.2, "none": None},
)


def test_a_state_comes_back(tmp_path: Path) -> None:
    path = write_state(tmp_path, 3, STATE, keep=1)
    read = read_state(path)
    assert read is not None
    assert read.values == STATE.values
    assert {name: tensor.dtype for name, tensor in read.tensors.items()} == {
        name: tensor.dtype for name, tensor in STATE.tensors.items()
    }
    assert all(torch.equal(read.tensors[name], tensor) for name, tensor in STATE.tensors.items())
    assert states.kept(tmp_path) == f"step 3, after 1 whole epochs, is kept in {tmp_path}"


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    for step in (1, 2, 30):
        write_state(tmp_path, step, STATE, keep=2)
    assert [path.name for path in state_files(tmp_path).values()] == ["step_00000002.state", "step_00000030.state"]
    found = last_state(tmp_path)
    assert found is not None
    assert found[0].name == "step_00000030.state"


def test_a_torn_state_of_a_later_step_takes_no_other_s_place(tmp_path: Path) -> None:
    write_state(tmp_path, 8, STATE, keep=1)
    states.state_path(tmp_path, 12).write_bytes(b"torn")
    path = write_state(tmp_path, 9, STATE, keep=1)
    assert list(tmp_path.iterdir()) == [path]


def test_older_states_are_removed_when_the_new_one_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_state(tmp_path, 3, STATE, keep=1)
    synced: list[list[str]] = []
    real = os.fsync

    def fsync(file: int) -> None:
        synced.append(sorted(os.listdir(tmp_path)))
        real(file)

    monkeypatch.setattr(os, "fsync", fsync)
    path = write_state(tmp_path, 4, STATE, keep=1)
    (content, folder), former = synced, "step_00000003.state"
    assert content[0].startswith(".step_00000004.state.")
    assert content[1:] == [former]
    assert folder == [former, path.name]


@pytest.mark.parametrize("place", [0, 9, 60, -300, -1])
def test_a_changed_bit_is_noticed(tmp_path: Path, place: int) -> None:
    write_state(tmp_path, 2, STATE, keep=2)
    path = write_state(tmp_path, 3, STATE, keep=2)
    content = bytearray(path.read_bytes())
    content[place] ^= 2
    path.write_bytes(content)
    assert read_state(path) is None
    found = last_state(tmp_path)
    assert found is not None
    assert found[0].name == "step_00000002.state"


@pytest.mark.parametrize(("old", "new"), [(rb"epochs\": 1", rb"epochs\": 2"), (b"[2,3]", b"[3,2]"), (b'"a"', b'"z"')])
def test_a_changed_value_shape_or_name_is_noticed(tmp_path: Path, old: bytes, new: bytes) -> None:
    """Which leave a file of safetensors as whole as it was."""
    path = write_state(tmp_path, 3, STATE, keep=1)
    content = path.read_bytes()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, new))
    assert load_file(path)  # which reads it
    assert read_state(path) is None


def test_a_torn_file_is_noticed_wherever_it_ends(tmp_path: Path) -> None:
    path = write_state(tmp_path, 3, STATE, keep=1)
    content = path.read_bytes()
    for end in range(0, len(content), 7):
        path.write_bytes(content[:end])
        assert read_state(path) is None


def test_a_full_disk_leaves_the_states_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_state(tmp_path, 3, STATE, keep=1)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrainingError, match=r"step_00000004.state: can't be written \(No space left on device\)"):
            write_state(tmp_path, 4, STATE, keep=1)
    with monkeypatch.context() as patch:
        patch.setattr(states, "SPARE", 1 << 60)
        with pytest.raises(TrainingError, match="expected room for .* bytes of the training's state, found"):
            write_state(tmp_path, 4, STATE, keep=1)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {path.name: before}


def test_values_are_taken_apart_and_put_together() -> None:
    values = {0: {"exp_avg": torch.ones(2), "step": 3.0}, "rates": [0.1, torch.zeros(1)], "name": "x"}
    tensors: dict[str, torch.Tensor] = {}
    apart = states.tensors_apart(values, "optimiser", tensors)
    assert sorted(tensors) == ["optimiser.0.exp_avg", "optimiser.rates.1"]
    together = states.tensors_together(apart, tensors)
    assert repr(together) == repr(values)
