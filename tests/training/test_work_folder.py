"""A folder that a run has been in: refused, gone on with to the same bits, or emptied of that run's files alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
import torch
from ranks import in_processes
from small_training import CONFIG, NAME, SMALL, of_few_images, train

from densezoo.config import load_config
from densezoo.errors import ConfigError, TrainingError
from densezoo.evaluation import run
from densezoo.formats.identity import file_sha256
from densezoo.training import state, work_folder
from densezoo.training.state import last_state


@pytest.fixture(scope="module", autouse=True)
def few_images() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        of_few_images(patch)
        yield


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole run."""
    folder: Path = tmp_path_factory.mktemp("runs") / "finished"
    train(folder)
    return folder


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the same run, ended in its third epoch."""
    folder: Path = tmp_path_factory.mktemp("runs") / "interrupted"
    real, calls = run.percentages, []

    def percentages(*arguments: object) -> Mapping[str, float]:
        calls.append(0)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "percentages", percentages)
        kept = "step 12, after 2 whole epochs, is kept in .*: the same command with --resume goes on"
        with pytest.raises(KeyboardInterrupt, match=kept):
            train(folder)
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "run"))


def test_a_folder_with_a_run_is_refused(
    finished: Path, interrupted: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, reached in (
        (finished, "finished, its last whole state is of step 12, after 3 whole epochs: step_00000008.state, "),
        (interrupted, "not finished, its last whole state is of step 12, after 2 whole epochs: step_00000008.s"),
    ):
        before = contents(folder)
        assert tool("train", CONFIG, "--work-dir", folder, "--device", "cpu") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {folder}: there is a run in it already, {reached}")
        assert line.endswith(
            "Go on with it by --resume, or remove it and begin anew by --overwrite, or choose another --work-dir"
        )
        assert contents(folder) == before


def test_going_on_gives_the_same_bits(finished: Path, interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / NAME)
    assert contents(folder) == {**contents(finished), "log.jsonl": file_sha256(folder / "log.jsonl")}


@pytest.mark.parametrize("damage", ["torn", "a bit", "empty"])
def test_going_on_from_the_state_before_a_damaged_one(
    damage: str, finished: Path, interrupted: Path, copy: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy(interrupted)
    damaged = folder / "step_00000012.state"
    content = bytearray(damaged.read_bytes())
    content[-5000] ^= 1
    damaged.write_bytes({"torn": bytes(content[:-1000]), "a bit": bytes(content), "empty": b""}[damage])
    with pytest.raises(TrainingError, match="its last whole state is of step 8, after 2 whole epochs"):
        train(folder)
    if damage == "a bit":  # one of them is trained to the end
        assert file_sha256(train(folder, resume=True)) == file_sha256(finished / NAME)
    else:
        assert work_folder.resumable(folder, {}) is not None
    assert "step_00000012.state is torn or damaged: going on from step_00000008.state" in caplog.text


def test_a_finished_run_is_not_begun_again(
    finished: Path, copy: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy(finished)
    before = contents(folder)
    train(folder, resume=True)
    assert f"{folder}: the run is finished; there is nothing left to train" in caplog.text
    for path in state.state_files(folder).values():
        path.unlink()
        del before[path.name]
    train(folder, {**SMALL, "train.keep": 5}, resume=True)
    assert contents(folder) == before
    told = f"{NAME}: is of another training: epochs 3, here 4; lr 0.1, here 0.2. Give its config"
    with pytest.raises(TrainingError, match=told):
        train(folder, {**SMALL, "train.epochs": 4, "train.lr": 0.2}, resume=True)
    assert contents(folder) == before


def test_resuming_a_finished_run_writes_the_network_anew(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    (folder / NAME).unlink()
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / NAME)
    os.truncate(folder / NAME, 100)
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / NAME)


def test_resuming_where_there_is_no_run_begins_one_and_says_so(
    finished: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert file_sha256(train(tmp_path / "new", resume=True)) == file_sha256(finished / NAME)
    assert f"{tmp_path / 'new'}: there is no run to go on with; one begins" in caplog.text


def test_another_run_is_not_gone_on_with(interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    before = contents(folder)
    with pytest.raises(TrainingError, match=r"0012.state: is of another run: train.epochs 3, here 4; train.lr 0.1"):
        train(folder, {**SMALL, "train.epochs": 4, "train.lr": 0.2}, resume=True)
    assert contents(folder) == before


def test_another_rounding_is_said(
    interrupted: Path, copy: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    folder = copy(interrupted)
    state = last_state(folder)
    assert state is not None
    former = state[1].values["run"]
    assert former["threads"] == torch.get_num_threads()
    assert work_folder.resumable(folder, former) is not None
    assert not caplog.text
    assert work_folder.resumable(folder, {**former, "threads": 7, "device": "cuda"}) is not None
    assert "0012.state is of threads 1, here 7; device cpu, here cuda: what follows is the same to round" in caplog.text


def test_what_a_state_does_not_say_of_its_run_is_not_taken_for_the_same(finished: Path) -> None:
    """A field that is newer than the state, or what the state is not to be compared by."""
    state = last_state(finished)
    assert state is not None
    former = state[1].values["run"]
    assert work_folder.resumable(finished, {**former, "train.newer": None, "train.keep": 9, "train.save_every": 9})
    for name, value in (("train.newer", 1), ("train.patience", 3), ("images", "0" * 64), ("processes", 2)):
        with pytest.raises(TrainingError, match=f"is of another run: {name} .*, here "):
            work_folder.resumable(finished, {**former, name: value})


def test_the_facts_of_a_run() -> None:
    experiment = load_config(CONFIG)
    assert experiment.train is not None
    facts = work_folder.run_facts(experiment, 2, "a sha256", "cuda")
    assert (facts["processes"], facts["images"], facts["device"]) == (2, "a sha256", "cuda")
    assert (facts["train.lr"], facts["model.growth_rate"]) == (experiment.train.lr, 8)
    assert json.loads(json.dumps(facts)) == facts
    assert work_folder.run_facts(dataclasses.replace(experiment, name="a", path="b"), 2, "a sha256", "cuda") == facts


def test_one_run_at_a_time(interrupted: Path, copy: Callable[[Path], Path], tmp_path: Path) -> None:
    folder = copy(interrupted)
    for overwrite in (False, True):
        with work_folder.held(folder):
            before = contents(folder)
            with pytest.raises(
                TrainingError, match=r"held by process \d+ on .*, which trains in the same folder; wait.*another folder"
            ):
                train(folder, resume=not overwrite, overwrite=overwrite)
            assert contents(folder) == before
    with work_folder.held(tmp_path / "new" / "run"), pytest.raises(TrainingError, match="which trains in the same"):
        train(tmp_path / "new" / "run")
    assert not (tmp_path / "new").exists()


class Payload:
    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (Path("executed"),)


def test_a_pickle_is_not_executed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"run": Payload()}, "step_00000012.state")
    with pytest.raises(TrainingError, match=r"0012.state: no whole state to go on from; begin anew by --overwrite"):
        train(tmp_path, resume=True)
    assert not Path("executed").exists()
    with pytest.raises(pickle.UnpicklingError):
        torch.load("step_00000012.state")


def test_a_run_of_an_older_densezoo(tmp_path: Path) -> None:
    (tmp_path / "epoch_3.pth").write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"epoch_3.pth: is of a run of an older densezoo, whose checkpoints this"):
        train(tmp_path, resume=True)
    with pytest.raises(TrainingError, match="not finished, without a whole state: epoch_3.pth. Remove it and begin"):
        train(tmp_path)


def test_overwriting_removes_the_run_and_nothing_else(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    own = {"notes.txt", "epoch_best.pth", "other.safetensors", "step_3.state", ".hidden", "20260101_000000/a.log"}
    for name in own:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    for name in ("epoch_9.pth", "last_checkpoint", "step_00000999.state", ".step_00000012.state.77-0123ab"):
        (folder / name).write_text("of an older run, a longer one, one that was killed while it wrote")
    old = set(contents(folder)) - own
    path = train(folder, {**SMALL, "train.epochs": 1}, overwrite=True)
    after = contents(folder)
    assert own <= set(after)
    assert old & set(after) == {"best.safetensors", "log.jsonl", path.name}
    assert set(after) - old == own | {"step_00000004.state"}
    assert file_sha256(path) != file_sha256(finished / path.name)
    with pytest.raises(ConfigError, match="exclude each other"):
        train(folder, resume=True, overwrite=True)


def test_overwriting_waits_until_all_is_checked(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    before = contents(folder)
    with pytest.raises(ConfigError, match="unknown key 'growth'"):
        train(folder, {"model.growth": 1}, overwrite=True)
    assert contents(folder) == before


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for resume, overwrite in ((False, False), (True, False), (False, True)):
        with pytest.raises(TrainingError, match="file: expected a folder for logs and states, found a file"):
            train(tmp_path / "file", resume=resume, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_user_s_own_files_stay(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    for name in ("epoch_10_mine.pth", "epoch_3.backup.pth"):
        (folder / name).write_text("mine")
    train(folder, {**SMALL, "train.epochs": 1}, overwrite=True)
    assert {"epoch_10_mine.pth", "epoch_3.backup.pth"} == {path.name for path in folder.glob("epoch_*")}


def test_without_a_whole_state_no_resuming_is_offered(interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    for path in folder.glob("*.state"):
        path.write_bytes(b"torn")
    with pytest.raises(TrainingError, match="without a whole state: .*Remove it and begin anew by --overwrite"):
        train(folder)
    with pytest.raises(TrainingError, match=r"step_00000012.state: no whole state to go on from; begin anew by --o"):
        train(folder, resume=True)


def _checked(rank: int, root: Path) -> None:
    torch.distributed.init_process_group("gloo", init_method=f"file://{root}/store", rank=rank, world_size=2)
    for folder, facts, told in (
        (root, {"train.lr": 0.1, "threads": rank}, None),
        (root, {"train.lr": 0.1 + rank}, r"process 1 trains another thing than process 0: train.lr 1.1, 0.1 there"),
        (
            root,
            {"train.start" if rank else "train.start.frozen": 1},
            "start.frozen None, 1 there; train.start 1, N",
        ),
        (root / str(rank), {}, r"process 1 doesn't see process 0's; give a --work-dir that all share"),
    ):
        folder.mkdir(exist_ok=True)
        with contextlib.ExitStack() as stack:
            if rank == 0:
                (folder / work_folder.LOCK).touch()
            if told:
                stack.enter_context(pytest.raises(TrainingError, match=told))
            work_folder.check_shared(folder, facts)
    torch.distributed.destroy_process_group()


def test_processes_of_different_trainings_or_folders_are_refused(tmp_path: Path) -> None:
    in_processes(lambda rank: _checked(rank, tmp_path))
