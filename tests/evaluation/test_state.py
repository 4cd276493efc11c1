"""A run's state: its name, what runs in more processes left beside it, what is said when it ends."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import example_facts, example_images

from densezoo.errors import EvaluationError
from densezoo.evaluation import distributed, state
from densezoo.evaluation.label_run import label_record
from densezoo.evaluation.metrics import RECORD
from densezoo.evaluation.record_log import RecordLog
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.protocols import get_protocol
from densezoo.types import Calibration, RunFacts


def test_the_name_has_all_that_tells_measurements_apart() -> None:
    facts = example_facts(subset="fog/1", tta="flip", protocol="all")
    assert state.state_name(facts) == ".densenet121.tv_in1k@all+fog_1+flip.rank0.state"


def test_states_of_more_processes_are_removed_and_others_stay(tmp_path: Path) -> None:
    names = [".a@timm.rank0.state", ".a@timm.rank1.state", ".a@timm+flip.rank1.state", ".b@timm.rank3.state"]
    for name in names:
        (tmp_path / name).touch()
    state.remove_other_states(tmp_path / names[0])
    assert {path.name for path in tmp_path.iterdir()} == set(names) - {names[1]}


def test_what_kills_left_of_a_state_s_beginning_is_removed(tmp_path: Path) -> None:
    own, of_more = "..a@timm.rank0.state.1234-0a1b2c", "..a@timm.rank1.state.1235-0a1b2c"
    others = ["..a@timm+flip.rank0.state.1-ffffff", ".a@timm.rank0.state.1234-0a1b2c", "..a@timm.rank0.state.x-0a1b2c"]
    for name in (own, of_more, *others):
        (tmp_path / name).touch()
    state.remove_beginnings(tmp_path / ".a@timm.rank0.state")
    assert {path.name for path in tmp_path.iterdir()} == {of_more, *others}
    state.remove_other_states(tmp_path / ".a@timm.rank0.state")
    assert {path.name for path in tmp_path.iterdir()} == set(others)


def test_a_run_that_begins_removes_what_a_kill_left_of_its_own(tmp_path: Path) -> None:
    facts, images = example_facts(), example_images(2)
    beginning = tmp_path / f".{state.state_name(facts)}.4321-abcdef"
    beginning.touch()
    with state.opened(tmp_path, images, (), DenseNetArchitecture(), facts, 2, "resume"):
        assert not beginning.exists()


def test_processes_that_measure_different_things_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = [{"rank": rank, "device": f"cuda:{rank}", "weights_sha256": "ab"[rank]} for rank in (0, 1)]
    monkeypatch.setattr(distributed, "gather", lambda value: runs)
    with pytest.raises(EvaluationError, match="rank 1 measures another thing than rank 0: weights_sha256 is 'b', and"):
        state.check_same_run(runs[0])
    runs[1]["weights_sha256"] = "a"
    state.check_same_run(runs[0])  # each on a device of its own


@pytest.mark.parametrize(
    "changed",
    [
        {"weights_sha256": "b" * 64},
        {"dataset": "cifar10"},
        {"backend": "native"},
        {"precision": "bfloat16"},
        {"device": "cuda"},
        {"versions": {"torch": "2.16.0"}},
        {"tta": "flip"},
        {"calibration": Calibration("imagenet1k", 300, "c" * 64)},
        {"subset": "fog/1"},
        {"images": example_images(3)},
        {"protocols": [dataclasses.replace(get_protocol("timm"), crop=200)]},
        {"protocols": [get_protocol("timm")] * 2},
        {"architecture": DenseNetArchitecture(bn_eps=1e-3)},
        {"batch_size": 3},
        {"record": label_record(2)},
        {"rank": 1},
        {"world_size": 2},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_all_that_records_depend_on_tells_runs_apart(changed: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def identity(**values: Any) -> dict[str, object]:
        run = {"images": example_images(2), "protocols": [get_protocol("timm")], "batch_size": 2, "record": RECORD}
        run |= {"architecture": DenseNetArchitecture()}
        facts = example_facts(**{name: value for name, value in values.items() if name in fields})
        return state.run_identity(**{**run, **{name: values[name] for name in run if name in values}}, facts=facts)

    fields = {field.name for field in dataclasses.fields(RunFacts)}
    before = json.dumps(identity())
    for name in ("rank", "world_size"):
        if name in changed:
            monkeypatch.setattr(distributed, name, lambda value=changed[name]: value)
    assert json.dumps(identity(**changed)) != before


@pytest.mark.parametrize("kind", [EvaluationError, KeyboardInterrupt])
def test_an_error_says_what_is_kept(tmp_path: Path, kind: type[BaseException]) -> None:
    with RecordLog(tmp_path / "state", {}) as log:
        with pytest.raises(kind) as caught, state.saying_what_is_kept(log, 10, 2):
            raise kind("broken")
        assert str(caught.value) == "broken"  # nothing is kept
        log.append(np.zeros(6, RECORD), 0.1)
        with pytest.raises(kind) as caught, state.saying_what_is_kept(log, 10, 2):
            raise kind("broken")
    when = "" if kind is KeyboardInterrupt else "when that is mended, "
    kept = f"3 of 10 images are kept in {tmp_path}/state: {when}the same command with --resume goes on"
    assert str(caught.value) == f"broken\n{kept}"


def test_states_that_hold_records_are_refused_before_the_first_run(tmp_path: Path) -> None:
    runs = [example_facts(subset=subset) for subset in ("fog/1", "fog/2")]
    state.check_states(tmp_path, runs)
    (tmp_path / "imagenet1k").mkdir()
    with RecordLog(tmp_path / "imagenet1k" / state.state_name(runs[1]), {}) as log:
        log.append(np.zeros(4, RECORD), 0.1)
    with pytest.raises(EvaluationError, match="fog_2.rank0.state: holds 4 records of an interrupted run"):
        state.check_states(tmp_path, runs)
