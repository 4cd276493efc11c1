"""Sweeps over small ImageNet folders and the digits, with tiny networks of a private index and random weights."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from small_imagenet import class_folders

from densezoo import api
from densezoo.api import sweep
from densezoo.api.sweep import Outcome, Settings, Task, find_weights, plan
from densezoo.config import load_config
from densezoo.data import loading
from densezoo.data.decoding import Decoded, decode
from densezoo.errors import CheckpointError, ConfigError, DatasetError, MissingDependencyError, UnknownNameError
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.index.load import load_index
from densezoo.index.locations import file_name
from densezoo.paths import PRIVATE
from densezoo.results.store import read_results, write_result
from densezoo.results.tables import measured_table
from densezoo.types import Calibration, EvalResult, Protocol

PATTERN = "tiny[12].acme_in1k"  # published without hashes
GOOD, BROKEN = "tiny1.acme_in1k", "tiny2.acme_in1k"
METAFILE = """
Collections:
- Name: acme
  Metadata: {Architecture: [Dense Block]}
  Paper: {Title: a, URL: "https://example.org/paper"}
  Code: {URL: "https://example.org/code"}
Models:
"""
MODEL = """
- Name: {name}
  In Collection: acme
  Config: tiny.py
  Protocol: torch7
  Metadata: {{Parameters: 13776, Image Size: 224, FLOPs: 17722128}}
  Weights: https://example.org/{name}.safetensors
  Weight Files:
  - {{URL: "https://example.org/{name}.safetensors", Framework: torch, Format: safetensors, Keymap: torchvision}}
"""
CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=1000)
dataset = "imagenet1k"
protocol = "torch7"
"""


@pytest.fixture(scope="module", autouse=True)
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a private index with the models GOOD and BROKEN."""
    folder = tmp_path_factory.mktemp("index")
    (folder / "model-index.yml").write_text("Import: [acme.yml]")
    (folder / "acme.yml").write_text(METAFILE + "".join(MODEL.format(name=name) for name in (GOOD, BROKEN)))
    (folder / "tiny.py").write_text(CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PRIVATE, str(folder))
        yield folder


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory, index: Path) -> Settings:
    """Five images, GOOD with random weights, BROKEN with a file that holds none; not to be written to."""
    root = tmp_path_factory.mktemp("sweep")
    torch.manual_seed(0)
    network = randomise_statistics(api.create_model(load_config(index / "tiny.py").model))
    (root / "weights").mkdir()
    write_safetensors(root / "weights" / f"{GOOD}.safetensors", network.state_dict(), {})
    (root / "weights" / f"{BROKEN}.safetensors").write_bytes(b"nothing")
    images = {"imagenet1k": class_folders(root / "val")}
    return Settings(images, root / "out", root / "weights", root / "pixels", batch_size=5, workers=0, device="cpu")


@pytest.fixture
def fresh(settings: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(settings, out=tmp_path / "out", cache=tmp_path / "pixels")


def test_a_plan_is_what_fits_in_the_order_of_the_pixels() -> None:
    assert plan(PATTERN, ["imagenet1k"], ["own", "timm", "torch7", "cifar10"]) == [
        Task("imagenet1k", "timm", GOOD),
        Task("imagenet1k", "timm", BROKEN),
        Task("imagenet1k", "torch7", GOOD),
        Task("imagenet1k", "torch7", BROKEN),
    ]
    assert {task.dataset for task in plan("*", ["digits", "cifar100"], ["own"])} == {"digits", "cifar100"}
    models = {task.model for task in plan("*", ["cifar10.1"], ["own"])}
    assert "densenet_bc_100_12.dice_cifar10" in models
    assert {model.partition("_cifar10")[1] for model in models} == {"_cifar10"}
    assert {task.model for task in plan("*", ["digits"], ["own"])} == {"densenet_bc_22_8.densezoo_digits"}


def test_what_cannot_be_planned() -> None:
    with pytest.raises(ConfigError, match=r"no model with weights matches 'densenet201\*' and fits cifar10 under own"):
        plan("densenet201*", ["cifar10"], ["own"])
    with pytest.raises(UnknownNameError, match="there is no protocol 'tim'"):
        plan("*", ["imagenet1k"], ["tim"])
    with pytest.raises(UnknownNameError, match="there is no dataset 'imagenet'"):
        plan("*", ["imagenet"], ["own"])


def test_a_failure_is_an_outcome_and_the_rest_goes_on(fresh: Settings) -> None:
    tasks = plan(PATTERN, ["imagenet1k"], ["timm"])
    outcomes = {outcome.task.model: outcome for outcome in sweep.sweep(tasks[::-1], fresh)}
    assert "not a" in str(outcomes[BROKEN].error) or BROKEN in str(outcomes[BROKEN].error)
    recorded = fresh.out / "imagenet1k" / f"{BROKEN}@timm.error.txt"
    assert recorded.read_text() == f"{outcomes[BROKEN].error}\n"
    (stored,) = read_results(fresh.out)
    assert stored == outcomes[GOOD].result
    assert (stored.protocol, stored.num_samples) == ("timm", 5)
    assert (stored.model, stored.weights_known_by) == (GOOD, "user")
    row = next(line for line in measured_table(load_index().values(), [stored]).splitlines() if "[b]" in line)
    assert f"| [{GOOD}](" in row


def test_a_fetched_file_without_a_published_hash_fills_its_model_s_cell(
    fresh: Settings, index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First the cache knows it, then a test of the same file outside of it and without its name."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    (source,) = api.get_spec(GOOD).weights
    cached = tmp_path / "home" / "weights" / GOOD / file_name(GOOD, source)
    cached.parent.mkdir(parents=True)
    shutil.copy(fresh.weights / f"{GOOD}.safetensors", cached)  # type: ignore[operator]
    record = {"sha256": file_sha256(cached), "size": cached.stat().st_size, "from": "a mirror", "date": ""}
    cached.with_name(f"{cached.name}.json").write_text(json.dumps(record))
    monkeypatch.setattr(sweep, "fetch_weights", lambda name: cached)
    settings = dataclasses.replace(fresh, weights=None)
    (outcome,) = sweep.sweep([Task("imagenet1k", "timm", GOOD)], settings)
    assert outcome.result is not None, outcome.error
    assert (outcome.result.model, outcome.result.weights_known_by) == (GOOD, "first-use-hash")
    root = fresh.data_roots["imagenet1k"]
    alone = api.evaluate_checkpoint(index / "tiny.py", cached, protocol="timm", data_root=root, workers=0, device="cpu")
    assert (alone.model, alone.weights_known_by) == (GOOD, "first-use-hash")
    rows = measured_table(load_index().values(), [alone]).splitlines()
    assert [GOOD in line for line in rows if "[a]" in line and line.startswith("|")] == [True]
    legend = "[a] the publisher states no hash; the weights are the file that was first fetched for this name."
    assert legend in rows


def test_the_outcome_is_that_of_a_test_alone_with_and_without_the_cache(
    settings: Settings, fresh: Settings, index: Path
) -> None:
    task = Task("imagenet1k", "timm", GOOD)
    weights = find_weights(api.get_spec(GOOD), settings.weights)
    alone = api.evaluate_checkpoint(
        index / "tiny.py", weights, protocol="timm", data_root=settings.data_roots["imagenet1k"], workers=0
    )
    for cache in (None, fresh.cache, fresh.cache):  # none, filled, used
        out = fresh.out / str(time.monotonic())
        (outcome,) = sweep.sweep([task], dataclasses.replace(fresh, cache=cache, out=out))
        assert outcome.result is not None
        assert (outcome.result.correct1, outcome.result.correct5) == (alone.correct1, alone.correct5)


def test_models_with_one_protocol_share_the_decoding(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []

    def noted(source: bytes, protocol: Protocol, where: str) -> Decoded:
        decoded.append(where)
        return decode(source, protocol, where)

    monkeypatch.setattr(loading, "decode", noted)
    monkeypatch.setattr(sweep, "find_weights", lambda *_: fresh.weights / f"{GOOD}.safetensors")  # type: ignore[operator]
    monkeypatch.setattr(sweep, "get_spec", lambda _: api.get_spec(GOOD))  # both have the same weights now
    outcomes = list(sweep.sweep(plan(PATTERN, ["imagenet1k"], ["timm"]), fresh))
    assert [outcome.error for outcome in outcomes] == [None, None]
    assert len(decoded) == 5 + 2 * (5 + 5)  # each model first tries its backend, then faster ways, on the first images


def test_started_again_it_measures_what_is_not_there(
    fresh: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = plan(GOOD, ["imagenet1k"], ["timm"])
    (done,) = sweep.sweep(first, fresh)
    assert done.result is not None
    evaluated: list[object] = []

    def noted(*_: object, **options: object) -> EvalResult | None:
        evaluated.append(options["protocol"])
        return done.result

    monkeypatch.setattr(sweep, "evaluate_checkpoint", noted)
    both = plan(GOOD, ["imagenet1k"], ["timm", "caffe"])
    found = {outcome.task.protocol: outcome for outcome in sweep.sweep(both, fresh)}
    assert evaluated == ["caffe"]
    assert (found["timm"].result, found["timm"].error) == (None, None)
    assert str(found["timm"]).endswith("already measured")

    evaluated.clear()  # another view, other images: other measurements
    list(sweep.sweep(first, dataclasses.replace(fresh, tta="flip")))
    fewer = class_folders(tmp_path / "val")
    os.remove(next(fewer.glob("n01443537/*")))
    list(sweep.sweep(first, dataclasses.replace(fresh, data_roots={"imagenet1k": fewer})))
    assert evaluated == ["timm", "timm"]


@pytest.fixture(scope="module")
def digits(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> EvalResult:
    """What a sweep measures of the network that ships."""
    elsewhere = dataclasses.replace(settings, out=tmp_path_factory.mktemp("digits"))
    (outcome,) = sweep.sweep(plan("densenet_bc_22_8*", ["digits"], ["own"]), elsewhere)
    assert outcome.result is not None
    return outcome.result


@pytest.mark.parametrize(
    "other",
    [{"backend": "openvino"}, {"precision": "bfloat16"}, {"subset": "fog/1"}, {"model": "densenet121.01234567"}],
)
def test_what_was_measured_under_other_conditions_or_without_its_name_is_not_measured(
    fresh: Settings, monkeypatch: pytest.MonkeyPatch, other: dict[str, str], digits: EvalResult
) -> None:
    tasks = plan("densenet_bc_22_8*", ["digits"], ["own"])
    write_result(fresh.out, dataclasses.replace(digits, **other))  # type: ignore[arg-type]
    monkeypatch.setattr(sweep, "evaluate_checkpoint", lambda *_, **__: digits)
    assert [outcome.result for outcome in sweep.sweep(tasks, fresh)] == [digits]
    assert [outcome.result for outcome in sweep.sweep(tasks, fresh)] == [None]


def test_imagenet_c_is_a_task_for_each_of_its_sets(fresh: Settings, tmp_path: Path) -> None:
    for subset in ("snow/2", "fog/1", "fog/5"):
        class_folders(tmp_path / "c" / subset)
    roots = {"imagenet-c": tmp_path / "c"}
    tasks = plan(GOOD, ["imagenet-c"], ["timm", "caffe"], roots)
    assert [(task.subset, task.protocol) for task in tasks] == [
        (subset, protocol) for subset in ("fog/1", "fog/5", "snow/2") for protocol in ("caffe", "timm")
    ]
    assert str(tasks[0]) == f"{GOOD} on imagenet-c/fog/1, protocol caffe"
    settings = dataclasses.replace(fresh, data_roots=roots)
    outcomes = list(sweep.sweep(tasks[1:4:2], settings))
    assert [outcome.result and outcome.result.subset for outcome in outcomes] == ["fog/1", "fog/5"]
    assert len(read_results(fresh.out)) == 2
    again = list(sweep.sweep(tasks[1:4:2], settings))
    assert all((outcome.result, outcome.error) == (None, None) for outcome in again)
    with pytest.raises(DatasetError, match="imagenet-c needs --data-root"):
        plan(GOOD, ["imagenet-c"], ["timm"])


def test_success_removes_the_record_of_a_failure(fresh: Settings) -> None:
    (task,) = plan("densenet_bc_22_8.densezoo_digits", ["digits"], ["own"])
    record = fresh.out / "digits" / f"{task.model}@digits.error.txt"
    record.parent.mkdir(parents=True)
    record.write_text("out of memory\n")
    (outcome,) = sweep.sweep([task], fresh)
    assert outcome.result is not None
    assert outcome.result.correct1 == 885
    assert not record.exists()


def test_any_exception_is_that_tasks_alone(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise MemoryError("7 GB")

    monkeypatch.setattr(sweep, "evaluate_checkpoint", fail)
    (outcome,) = sweep.sweep(plan("densenet_bc_22_8*", ["digits"], ["own"]), fresh)
    assert outcome.error == "MemoryError: 7 GB"


def test_a_dataset_that_is_not_there_stops_the_sweep_before_it_starts(fresh: Settings) -> None:
    with pytest.raises(DatasetError, match="imagenet1k needs --data-root"):
        next(sweep.sweep([Task("imagenet1k", "timm", GOOD)], dataclasses.replace(fresh, data_roots={})))


def test_weights_in_the_folder_have_to_be_those_published(tmp_path: Path) -> None:
    (tmp_path / "densenet_bc_100_12.dice_cifar10.pth.tar").write_bytes(b"others")
    with pytest.raises(
        CheckpointError, match="expected the sha256 deaefd08.*, found the sha256 [0-9a-f]{64}; fetch the file again"
    ):
        find_weights(api.get_spec("densenet_bc_100_12.dice_cifar10"), tmp_path)


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a local Ray cluster of two workers, a CPU each."""
    pytest.importorskip("ray", reason="needs Ray: pip install ray")
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    yield made.address
    ray.shutdown()
    made.shutdown()


def ray_test(test: Callable[..., None]) -> Callable[..., None]:
    marked: Callable[..., None] = pytest.mark.filterwarnings("ignore")(test)  # Ray's own
    return marked


@ray_test
def test_ray_shares_the_tasks_out_and_survives_a_dead_worker(cluster: str) -> None:
    def work(task: Task) -> Outcome:
        import ray

        if task.model == "3":
            os._exit(1)
        time.sleep(1)
        return Outcome(task, error=ray.get_runtime_context().get_node_id())

    tasks = [Task("digits", "digits", str(i)) for i in range(6)]
    outcomes = {outcome.task: outcome.error for outcome in sweep._on_ray(cluster, work, tasks)}
    assert set(outcomes) == set(tasks)
    assert "WorkerCrashedError" in str(outcomes.pop(tasks[3]))
    assert len(set(outcomes.values())) == 2


@ray_test
def test_a_sweep_by_ray_is_the_sweep_here(cluster: str, settings: Settings, fresh: Settings) -> None:
    tasks = plan("densenet_bc_22_8*", ["digits"], ["own"]) + plan(PATTERN, ["imagenet1k"], ["timm"])
    by_ray = {outcome.task: outcome for outcome in sweep.sweep(tasks, fresh, cluster)}
    here = {outcome.task: outcome for outcome in sweep.sweep(tasks, dataclasses.replace(fresh, out=fresh.out / "2"))}
    for task in tasks:
        assert by_ray[task].error == here[task].error
        counts = [
            outcome.result and (outcome.result.correct1, outcome.result.correct5)
            for outcome in (by_ray[task], here[task])
        ]
        assert counts[0] == counts[1]
    assert len(read_results(fresh.out)) == 2


def test_without_ray(fresh: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(
        MissingDependencyError, match="--ray needs Ray, which is not installed: pip install ray, or in a clone"
    ):
        next(sweep.sweep(plan("densenet_bc_22_8*", ["digits"], ["own"]), fresh, "auto"))


def test_with_a_limit_nothing_is_stored_and_nothing_left_out(fresh: Settings) -> None:
    tasks = plan(PATTERN, ["imagenet1k"], ["timm"])
    list(sweep.sweep(tasks, fresh))
    before = {path: path.read_bytes() for path in fresh.out.rglob("*") if path.is_file()}
    outcomes = {each.task.model: each for each in sweep.sweep(tasks, dataclasses.replace(fresh, limit=2))}
    assert str(outcomes[GOOD]).endswith(" % of 2 of 5 images, a sample")
    assert outcomes[BROKEN].error
    assert {path: path.read_bytes() for path in fresh.out.rglob("*") if path.is_file()} == before


def test_other_training_images_are_another_measurement(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    task = Task("imagenet1k", "timm", GOOD)
    whole = dataclasses.replace(settings, precision="int8", calibrations={"imagenet1k": Path("train")})
    sha256 = file_sha256(find_weights(api.get_spec(GOOD), settings.weights))
    ours, others = Calibration("imagenet1k", 300, "a"), Calibration("imagenet1k", 300, "b")
    measured = frozenset({(GOOD, sha256, "fingerprint", task.conditions(whole), ours)})
    given: list[object] = []
    monkeypatch.setattr(sweep, "evaluate_checkpoint", lambda *_, **options: given.append(options["calibration"]))
    for calibration in (ours, others, None):
        sweep.attempt(task, whole, "fingerprint", measured, calibration)
    assert given == [Path("train")] * 2, "the first one was measured before"


@pytest.mark.slow
def test_a_sweep_in_int8_learns_from_the_training_images_that_it_is_given(tmp_path: Path) -> None:
    """scikit-learn's digits have training images of their own, wherever the root is."""
    pytest.importorskip("nncf", reason="nncf is not installed: pip install -e '.[openvino]'")
    tasks = plan("densenet_bc_22_8*", ["digits"], ["own"])
    settings = Settings({}, tmp_path, workers=0, device="cpu", backend="openvino", precision="int8")
    (failed,) = sweep.sweep(tasks, settings)
    assert "needs training images" in str(failed.error)
    settings = dataclasses.replace(settings, calibrations={"digits": tmp_path})
    (done,) = sweep.sweep(tasks, settings)
    assert done.result is not None, done.error
    assert done.result.calibration is not None
    assert (done.result.calibration.dataset, done.result.calibration.num_images) == ("digits", 300)
    assert done.result.correct1 > 870
    (again,) = sweep.sweep(tasks, settings)
    assert (again.result, again.error) == (None, None)
