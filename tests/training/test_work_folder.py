"""A folder that a run has been in: refused, gone on with to the same bits, or emptied of that run's files alone."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch

from densezoo import api
from densezoo.errors import ConfigError, TrainingError
from densezoo.evaluation import run
from densezoo.formats.identity import file_sha256

CONFIG = api.DEMO[0]
NAME = CONFIG.stem
SMALL = {"train.epochs": 3, "model.growth_rate": 4, "model.block_config": (1, 1, 1), "model.drop_rate": 0.1}


def train(folder: Path, overrides: Mapping[str, object] = SMALL, resume: bool = False, overwrite: bool = False) -> Path:
    return api.train_config(
        CONFIG, work_dir=folder, workers=0, device="cpu", overrides=overrides, resume=resume, overwrite=overwrite
    )


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
        with pytest.raises(KeyboardInterrupt, match="epoch 2 is kept in .*: the same command with --resume goes on"):
            train(folder)
    return folder


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Path], Path]:
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "run"))


def test_a_folder_with_a_run_is_refused(
    finished: Path, interrupted: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, state in (
        (finished, "finished, its last whole checkpoint is of epoch 3: epoch_2.pth, epoch_3.pth, last_checkpoint, "),
        (interrupted, "not finished, its last whole checkpoint is of epoch 2: epoch_1.pth, epoch_2.pth, last_checkp"),
    ):
        before = contents(folder)
        assert tool("train", CONFIG, "--work-dir", folder, "--device", "cpu") == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {folder}: there is a run in it already, {state}")
        assert line.endswith(
            "Go on with it by --resume, or remove it and begin anew by --overwrite, or choose another --work-dir"
        )
        assert contents(folder) == before


def test_going_on_gives_the_same_bits(finished: Path, interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / f"{NAME}.safetensors")
    assert sorted(path.name for path in folder.glob("epoch_*")) == ["epoch_2.pth", "epoch_3.pth"]
    logs = sorted(folder.glob("*/*.log"))
    assert "resumed epoch: 2" in logs[-1].read_text()


def test_going_on_from_the_checkpoint_before_a_torn_one(
    finished: Path, interrupted: Path, copy: Callable[[Path], Path]
) -> None:
    folder = copy(interrupted)
    torn = folder / "epoch_2.pth"
    torn.write_bytes(torn.read_bytes()[:-1000])
    with pytest.raises(TrainingError, match="its last whole checkpoint is of epoch 1"):
        train(folder)
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / f"{NAME}.safetensors")


def test_resuming_a_finished_run_writes_the_network_anew(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    (folder / f"{NAME}.safetensors").unlink()
    assert file_sha256(train(folder, resume=True)) == file_sha256(finished / f"{NAME}.safetensors")


def test_resuming_where_there_is_no_run_begins_one(finished: Path, tmp_path: Path) -> None:
    assert file_sha256(train(tmp_path / "new", resume=True)) == file_sha256(finished / f"{NAME}.safetensors")


def test_another_run_is_not_gone_on_with(interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    before = contents(folder)
    with pytest.raises(TrainingError, match=r"epoch_2.pth: is of another run: train.epochs 3, here 4; train.lr 0.1"):
        train(folder, {**SMALL, "train.epochs": 4, "train.lr": 0.2}, resume=True)
    assert contents(folder) == before


class Payload:
    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (Path("executed"),)


def test_a_checkpoint_s_code_is_not_run(
    interrupted: Path, copy: Callable[[Path], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = copy(interrupted)
    monkeypatch.chdir(tmp_path)
    torch.save({"run": Payload()}, folder / "epoch_3.pth")
    with pytest.raises(TrainingError, match=r"epoch_3.pth: damaged, or no checkpoint that this version of"):
        train(folder, resume=True)
    assert not Path("executed").exists()
    with pytest.raises(pickle.UnpicklingError):
        torch.load(folder / "epoch_3.pth")


def test_overwriting_removes_the_run_and_nothing_else(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    (log,) = folder.glob("*/*.log")
    own = {"notes.txt", "epoch_best.pth", "other.safetensors", f"{log.parent.name}/notes.txt", "20260101_000000/a.log"}
    for name in own:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(name)
    (folder / "epoch_9.pth").write_text("of a longer run")
    old = set(contents(folder)) - own
    path = train(folder, {**SMALL, "train.epochs": 1}, overwrite=True)
    after = contents(folder)
    assert own <= set(after)
    assert {name for name in after if name.startswith("epoch_")} == {"epoch_1.pth", "epoch_best.pth"}
    left = (old & set(after)) - {"last_checkpoint", path.name}
    assert not left
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
        with pytest.raises(TrainingError, match="file: expected a folder for logs and checkpoints, found a file"):
            train(tmp_path / "file", resume=resume, overwrite=overwrite)
    assert (tmp_path / "file").read_text() == "mine"


def test_a_run_without_a_whole_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "epoch_1.pth").write_bytes(b"PK\3\4")
    with pytest.raises(TrainingError, match=r"epoch_1.pth: no whole checkpoint to go on from; begin anew by --overw"):
        train(tmp_path, resume=True)
    with pytest.raises(TrainingError, match="not finished, without a whole checkpoint: epoch_1.pth. Remove it"):
        train(tmp_path)


def test_a_user_s_own_files_stay(finished: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(finished)
    for name in ("epoch_10_mine.pth", "epoch_3.backup.pth"):
        (folder / name).write_text("mine")
    train(folder, {**SMALL, "train.epochs": 1}, overwrite=True)
    assert {"epoch_10_mine.pth", "epoch_3.backup.pth", "epoch_1.pth"} == {path.name for path in folder.glob("epoch_*")}


def test_without_a_whole_checkpoint_no_resuming_is_offered(interrupted: Path, copy: Callable[[Path], Path]) -> None:
    folder = copy(interrupted)
    for path in folder.glob("epoch_*.pth"):
        path.write_bytes(b"torn")
    with pytest.raises(TrainingError, match="without a whole checkpoint: .*Remove it and begin anew by --overwrite"):
        train(folder)
