"""A checkpoint measured by a function call: what is refused before a file is read, and what a person reads of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import example_result

from densezoo import api
from densezoo.api import evaluation
from densezoo.api.arguments import EvaluationArguments
from densezoo.api.evaluation import report
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.evaluation.options import LoadOptions, RunOptions, StoreOptions
from densezoo.evaluation.run import Plan
from densezoo.protocols.own import Changes
from densezoo.types import EvalResult, Experiment

CONFIG, CHECKPOINT = api.DEMO
Travelled = tuple[LoadOptions, RunOptions, StoreOptions]


@pytest.fixture
def travelled(monkeypatch: pytest.MonkeyPatch) -> list[Travelled]:
    """The options as they arrive where the work begins, which is left out."""
    seen: list[Travelled] = []

    def note(load: LoadOptions, options: RunOptions, store: StoreOptions) -> list[EvalResult]:
        seen.append((load, options, store))
        return [example_result()]

    monkeypatch.setattr(evaluation, "evaluate", note)
    return seen


def test_every_argument_arrives(travelled: list[Travelled]) -> None:
    loading: dict[str, object] = {
        "model": "densenet121.tv_in1k", "dataset": "imagenet-c", "subset": "fog/3", "data_root": "a", "labels": "b",
        "class_map": "c", "overrides": {"model.bn_eps": 1e-4}, "changes": Changes(img_size=96),
    }  # fmt: skip
    running: dict[str, object] = {
        "batch_size": 3, "workers": 5, "device": "cuda:1", "launcher": "mpi", "backend": "x", "precision": "int8",
        "tta": "flip", "cache": "d", "on_error": "count-wrong", "limit": 7,
    }  # fmt: skip
    storing = {"out": "e", "predictions": "f", "show_progress": True}
    api.evaluate_protocols("g.py", "h.pth", names=["all"], **loading, **running, **storing)  # type: ignore[arg-type]
    ((load, options, store),) = travelled
    paths = {"data_root": Path("a"), "labels": Path("b"), "class_map": Path("c")}
    assert load == LoadOptions(Path("g.py"), Path("h.pth"), protocols=["all"], **{**loading, **paths})  # type: ignore[arg-type]
    assert options == RunOptions(**{**running, "cache": Path("d")})  # type: ignore[arg-type]
    assert store == StoreOptions(Path("e"), "refuse", Path("f"), True)


@pytest.mark.parametrize(
    ("given", "existing"),
    [({}, "refuse"), ({"resume": True}, "resume"), ({"restart": True}, "restart")],
)
def test_what_becomes_of_a_state(travelled: list[Travelled], given: EvaluationArguments, existing: str) -> None:
    api.evaluate_checkpoint(None, "h.pth", protocol="timm", **given)
    ((load, _, store),) = travelled
    assert (load.config, load.protocols, store.existing) == (None, ["timm"], existing)


def test_nothing_is_read_or_written_where_a_name_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'"):
        api.evaluate_checkpoint(CONFIG, tmp_path / "none.pth", protocol="tim", out=tmp_path / "out")
    with pytest.raises(ConfigError, match=r"p.csv: the extension says .* found .csv"):
        api.evaluate_checkpoint(CONFIG, tmp_path / "none.pth", predictions=tmp_path / "p.csv", out=tmp_path / "out")
    with pytest.raises(ConfigError, match="--device cuda:999: "):
        api.evaluate_checkpoint(CONFIG, tmp_path / "none.pth", device="cuda:999", out=tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_the_device_is_the_one_that_the_plan_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[str] = []

    def make_plan(load: LoadOptions, options: RunOptions, device: str, experiment: Experiment | None) -> Plan:
        devices.append(device)
        raise ConfigError("enough")

    monkeypatch.setattr("densezoo.backends.device.choose_device", lambda name: f"chosen for {name}")
    monkeypatch.setattr("densezoo.api.plan.make_plan", make_plan)
    with pytest.raises(ConfigError, match="enough"):
        api.evaluate_checkpoint(CONFIG, CHECKPOINT, device="cpu", launcher="none")
    assert devices == ["chosen for cpu"]


def test_one_result_is_told_at_length_and_several_side_by_side() -> None:
    one = report([example_result()])
    assert one.splitlines()[0] == "densenet121.tv_in1k on imagenet1k, protocol torchvision"
    assert "  published: 74.434" in one
    several = report([example_result(), example_result(protocol="timm", top1=74.75, correct1=37375)]).splitlines()
    assert [line.split(":")[0] for line in several[-2:]] == ["  torchvision", "  timm"]
    unknown = [example_result(dataset="digits", protocol=name) for name in ("digits", "none")]
    assert report(unknown).splitlines()[-1] == "  published: nothing for this network on this dataset"


@pytest.mark.parametrize("limit", [0, -2])
def test_a_sample_of_no_image_is_refused(limit: int) -> None:
    message = f"limit is {limit}; expected a number of at least 1"
    with pytest.raises(ConfigError, match=message):
        api.evaluate_protocols(CONFIG, CHECKPOINT, limit=limit)
    with pytest.raises(ConfigError, match=message):
        api.evaluate_labels(CONFIG, CHECKPOINT, "labels.csv", limit=limit)


def test_an_argument_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="^an evaluation has no argument 'batchsize'"):
        api.evaluate_labels(CONFIG, CHECKPOINT, "labels.csv", batchsize=3)  # type: ignore[call-arg]  # what is tested
    for name, value in (("protocols", ["torchvision"]), ("existing", "restart")):  # fields behind other names
        with pytest.raises(TypeError, match=rf"no argument '{name}'"):
            api.evaluate_labels(CONFIG, CHECKPOINT, "labels.csv", **{name: value})  # type: ignore[arg-type]
