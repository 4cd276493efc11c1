from __future__ import annotations

import errno
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from examples import records_of

from densezoo.errors import EvaluationError
from densezoo.evaluation.record_log import RecordLog, check_no_records

RUN = {"weights_sha256": "ab", "batch_size": 2, "protocols": ["x"]}


def steps(log: RecordLog) -> list[list[int]]:
    return [part["index"].tolist() for part in log]


def filled(path: Path) -> RecordLog:
    """A state of two steps, closed."""
    with RecordLog(path, RUN) as log:
        for step in ([0.1, 0.2], [0.3]):
            log.append(records_of(step, [0] * len(step)), 1.5)
    return log


def resumed(path: Path, run: dict[str, object] = RUN) -> list[list[int]]:
    with RecordLog(path, run, "resume") as log:
        return steps(log)


def test_there_and_back(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    with RecordLog(tmp_path / "state", RUN, "resume") as again:
        assert (again.num_records, again.seconds) == (3, 3.0)
        assert steps(again) == [[0, 1], [0]]
        assert np.concatenate(list(again))["probabilities"][:, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert os.listdir(tmp_path) == ["state"]
    again.remove()
    assert os.listdir(tmp_path) == []


def test_records_are_dropped_only_when_it_is_said(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    with pytest.raises(EvaluationError, match="state: holds 3 records of an interrupted run; .*--resume.*--restart"):
        RecordLog(tmp_path / "state", RUN)
    with pytest.raises(EvaluationError, match="of other settings .batch_size was 2, is 3.; repeat that one with --res"):
        RecordLog(tmp_path / "state", {**RUN, "batch_size": 3})
    with pytest.raises(EvaluationError, match="holds 3 records"):
        check_no_records(tmp_path / "state")
    check_no_records(tmp_path / "none")
    assert (tmp_path / "state").read_bytes() == before
    with RecordLog(tmp_path / "state", RUN, "restart") as log:
        assert log.num_records == 0


def test_a_state_without_records_is_nobody_s_loss(tmp_path: Path) -> None:
    with RecordLog(tmp_path / "state", RUN):
        pass
    with RecordLog(tmp_path / "state", {**RUN, "batch_size": 3}) as log:
        assert log.run["batch_size"] == 3
    with pytest.raises(KeyError), RecordLog(tmp_path / "state", RUN):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_a_deleted_folder_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with RecordLog(tmp_path / "out" / "state", RUN) as log:
        log.append(records_of([0.1], [0]), 1.0)
        shutil.rmtree(tmp_path / "out")
        log.append(records_of([0.2], [0]), 1.0)
        assert steps(log) == [[0], [0]]
        log.remove()


def test_cut_off_at_any_byte_it_keeps_the_whole_steps(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    whole = (tmp_path / "state").read_bytes()
    first = whole.index(b"\n") + 1
    for size in range(first, len(whole)):
        (tmp_path / "state").write_bytes(whole[:size])
        with RecordLog(tmp_path / "state", RUN, "resume") as log:
            kept = steps(log)
            assert kept in ([], [[0, 1]])
            log.append(records_of([0.5], [0]), 1.0)  # where the broken step was
            assert steps(log) == [*kept, [0]]


def test_a_changed_byte_is_noticed(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    data = bytearray((tmp_path / "state").read_bytes())
    data[-5] ^= 1
    (tmp_path / "state").write_bytes(data)
    assert resumed(tmp_path / "state") == [[0, 1]]


def test_what_stood_behind_a_changed_byte_never_comes_back(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    data = bytearray((tmp_path / "state").read_bytes())
    data[data.index(b"\n") + 40] ^= 1  # in the first step's records; the second step is whole
    (tmp_path / "state").write_bytes(data)
    with RecordLog(tmp_path / "state", RUN, "resume") as log:
        assert steps(log) == []
        log.append(records_of([0.1, 0.2], [0, 0]), 1.5)
    assert resumed(tmp_path / "state") == [[0, 1]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"batch_size": 3}, "the state of another run: batch_size was 2, is 3"),
        ({"weights_sha256": "cd"}, "weights_sha256 was 'ab', is 'cd'"),
        ({"tta": "flip"}, "tta was None, is 'flip'"),
    ],
)
def test_the_state_of_another_run_is_refused(tmp_path: Path, changed: dict[str, object], message: str) -> None:
    filled(tmp_path / "state")
    before = (tmp_path / "state").read_bytes()
    with pytest.raises(EvaluationError, match=message):
        resumed(tmp_path / "state", {**RUN, **changed})
    assert (tmp_path / "state").read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\x00\x01\n", b"[1]\n", json.dumps(5).encode()])
def test_what_is_no_state(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(EvaluationError, match="its first line is damaged, so that nothing tells .*--restart"):
        resumed(tmp_path / "state")


def test_a_first_line_with_a_changed_byte_is_no_other_run_s(tmp_path: Path) -> None:
    filled(tmp_path / "state")
    content = bytearray((tmp_path / "state").read_bytes())
    content[12] ^= 1
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(EvaluationError, match="first line is damaged"):
        resumed(tmp_path / "state")


@pytest.mark.parametrize("part", [None, 10])
def test_a_disk_that_gets_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: int | None) -> None:
    filled(tmp_path / "state")
    written = os.pwrite

    def full(handle: int, data: bytes, offset: int) -> int:
        if part is None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(handle, data[:part], offset)

    with RecordLog(tmp_path / "state", RUN, "resume") as log:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(EvaluationError, match="state can't be written .No space left on device.*make room"):
            log.append(records_of([0.5], [0]), 1.0)
        monkeypatch.undo()
        assert steps(log) == [[0, 1], [0]]
        log.append(records_of([0.5, 0.6], [0, 0]), 1.0)
        assert steps(log) == [[0, 1], [0], [0, 1]]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EvaluationError, match="can't be written .No such file"):
        RecordLog(tmp_path / "nowhere" / "state", RUN)
