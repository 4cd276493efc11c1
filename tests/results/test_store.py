from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from examples import example_facts, example_result

from densezoo.errors import ResultError
from densezoo.families import architecture_values
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.paths import RESULTS
from densezoo.protocols import PROTOCOLS
from densezoo.protocols.own import as_own, facts_of
from densezoo.results import store
from densezoo.results.store import (
    check_replaces,
    compare_with,
    differences,
    failure_path,
    read_results,
    result_path,
    storing,
    write_result,
)
from densezoo.types import Architecture, Conditions, EvalResult, LabelResult

#: What DESIGN asks of every stored result.
KEYS = [
    "model",
    "weights_sha256",
    "dataset",
    "dataset_fingerprint",
    "protocol",
    "num_samples",
    "correct1",
    "correct5",
    "top1",
    "top5",
    "interval95",
    "backend",
    "precision",
    "device",
    "versions",
    "commit",
    "date",
    "seconds",
]


def test_the_machine_is_stored_where_it_is_known_and_tells_no_results_apart(tmp_path: Path) -> None:
    path = write_result(tmp_path, example_result())
    assert "machine" not in json.loads(path.read_text())
    path.unlink()
    write_result(tmp_path, example_result(machine="A, 2 cores"))
    assert json.loads(path.read_text())["machine"] == "A, 2 cores"
    assert store.differences(example_result(machine="A, 2 cores"), example_result(machine="B, 64 cores")) == []
    assert read_results(tmp_path) == [example_result(machine="A, 2 cores")]


def test_there_and_back(tmp_path: Path) -> None:
    results = [
        example_result(),
        example_result(protocol="timm"),
        example_result(backend="openvino"),
        example_result(precision="bfloat16"),
        example_result(tta="flip", backend="openvino", precision="int8"),
        example_result(dataset="imagenet-c", subset="gaussian_noise/3"),
        example_result(dataset="imagenet-c", subset="fog/1", tta="flip"),
        example_result(dataset="cifar10"),
    ]
    paths = [write_result(tmp_path, result) for result in results]
    assert [path.relative_to(tmp_path).as_posix() for path in paths] == [
        "imagenet1k/densenet121.tv_in1k@torchvision.json",
        "imagenet1k/densenet121.tv_in1k@timm.json",
        "imagenet1k/densenet121.tv_in1k@torchvision+openvino.json",
        "imagenet1k/densenet121.tv_in1k@torchvision+bfloat16.json",
        "imagenet1k/densenet121.tv_in1k@torchvision+flip+openvino+int8.json",
        "imagenet-c/densenet121.tv_in1k@torchvision+gaussian_noise_3.json",
        "imagenet-c/densenet121.tv_in1k@torchvision+fog_1+flip.json",
        "cifar10/densenet121.tv_in1k@torchvision.json",
    ]
    assert sorted(map(str, read_results(tmp_path))) == sorted(map(str, results))
    assert set(KEYS) <= set(json.loads(paths[0].read_text()))


def test_a_failure_is_beside_its_result(tmp_path: Path) -> None:
    result = example_result(dataset="imagenet-c", subset="fog/1", backend="openvino", precision="bfloat16")
    stored = result_path(tmp_path, result)
    assert failure_path(tmp_path, result.model, result.conditions) == stored.with_suffix(".error.txt")


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Conditions)])
def test_no_two_measurements_share_a_file(tmp_path: Path, field: str) -> None:
    assert result_path(tmp_path, example_result(**{field: "other"})) != result_path(tmp_path, example_result())


def test_the_same_measurement_again_replaces_the_file(tmp_path: Path) -> None:
    write_result(tmp_path, example_result())
    write_result(tmp_path, example_result(correct1=37218))
    assert [result.correct1 for result in read_results(tmp_path)] == [37218]


def test_what_is_stored_stays_for_a_date(tmp_path: Path) -> None:
    stored = example_result(loss=0.5, coverage=None)
    path = write_result(tmp_path, stored)
    assert storing(tmp_path, stored) == f"stored: {path}"
    before = path.read_bytes()
    later = {"date": "2026-11-21T08:00:00+00:00", "seconds": 1.0, "commit": "abc"}
    again = example_result(loss=0.5 + 1e-9, **later)
    assert write_result(tmp_path, again) == path
    assert path.read_bytes() == before
    assert storing(tmp_path, again) == f"already stored, the same, on 2026-11-20T19:00:00+00:00: {path}"


@pytest.mark.parametrize(
    "change",
    [
        {"correct5": 45000},
        {"device": "cuda"},
        {"versions": {"torch": "2.16.0"}},
        {"dataset_fingerprint": "e" * 64},
        {"weights_sha256": "b" * 64},
        {"weights_known_by": "user"},
        {"interval95": (74.0, 74.81)},
        {"loss": 0.6},
        {"loss": 0.50001},
    ],
)
def test_other_counts_or_facts_replace_what_is_stored(tmp_path: Path, change: dict[str, object]) -> None:
    write_result(tmp_path, example_result(loss=0.5))
    changed = example_result(**{"loss": 0.5, "date": "2026-11-21T08:00:00+00:00", **change})
    path = write_result(tmp_path, changed)
    assert read_results(tmp_path) == [changed]
    assert storing(tmp_path, changed) == f"stored: {path}"
    differing = {line.partition(": ")[0] for line in differences(example_result(loss=0.5), changed)}
    assert differing == ({*change, "top5"} if "correct5" in change else {*change})


def older(architecture: Architecture, field: str) -> dict[str, object]:
    """The values of an architecture as a densezoo stored them that did not know the field."""
    values = architecture_values(architecture)
    del values[field]
    return values


@pytest.mark.parametrize(
    ("architecture", "field"),
    [
        (DenseNetArchitecture(growth_rate=12, num_init_features=24, block_config=(2, 2)), "stem_padding"),
        (RDNetArchitecture(), "drop_rate"),
    ],
)
def test_a_result_older_than_a_field_of_the_architecture_stays(
    tmp_path: Path, architecture: Architecture, field: str
) -> None:
    """The field had its default then: the same run, not one to be measured and stored again."""
    stored = example_result(architecture=older(architecture, field))
    before = write_result(tmp_path, stored).read_bytes()
    now = architecture_values(architecture)
    assert write_result(tmp_path, example_result(architecture=now, seconds=1.0)).read_bytes() == before
    assert store.find_same([stored], example_facts(architecture=now)) is stored
    other = example_result(architecture={**now, field: "other"})
    (difference,) = differences(stored, other)
    assert difference.startswith("architecture: ")
    assert store.find_same([stored], example_facts(architecture=other.architecture)) is None


def test_a_result_is_compared_with_what_is_stored(tmp_path: Path) -> None:
    assert compare_with(tmp_path, example_result()).startswith("nothing to compare with: there is no ")
    path = write_result(tmp_path, example_result())
    assert compare_with(tmp_path, example_result(loss=0.5)) == f"the same counts as in {path}"
    for other in ({"correct1": 37218}, {"correct5": 45987}, {"num_samples": 50001}):
        assert compare_with(tmp_path, example_result(**other)).startswith(f"differs from {path} (here, there):\n    ")


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    path = write_result(tmp_path, example_result())
    path.write_text("{")
    write_result(tmp_path, example_result())
    assert read_results(tmp_path) == [example_result()]


def test_a_name_can_t_leave_the_folder(tmp_path: Path) -> None:
    path = write_result(tmp_path, example_result(model="../../x/y"))
    assert path.parent == tmp_path / "imagenet1k"


def test_a_folder_that_can_t_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="the result can't be written .*; choose another folder"):
        write_result(tmp_path / "file", example_result())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"top1": "74"}, "top1 is '74'; expected a number"),
        ({"num_sample": 1}, "unknown key 'num_sample'; did you mean 'num_samples'?"),
        ({"interval95": [1.0]}, r"interval95 is [1.0]; expected a list of 2"),
        (
            {"top1": 74.534},
            "top1 is 74.534; expected 74.434, which 37217 of 50000 images are; measure it again or remove the file",
        ),
        (
            {"correct5": 45987},
            "top5 is 91.972; expected 91.974, which 45987 of 50000 images are; measure it again or remove the file",
        ),
        (
            {"num_samples": 40000},
            "found 37217 and 45986 right images of 40000; measure it again or remove the file",
        ),
    ],
)
def test_a_broken_result_is_named(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = write_result(tmp_path, example_result())
    path.write_text(json.dumps({**dataclasses.asdict(example_result()), **change}))
    with pytest.raises(ResultError) as caught:
        read_results(tmp_path)
    assert str(caught.value) == f"{path}: {message}"


def test_half_a_file_is_named(tmp_path: Path) -> None:
    path = write_result(tmp_path, example_result())
    path.write_text(path.read_text()[:40])
    with pytest.raises(ResultError, match="not a stored result"):
        read_results(tmp_path)


def test_weights_that_are_known_better_are_not_replaced(tmp_path: Path) -> None:
    stored = example_result(weights_known_by="published-hash")
    write_result(tmp_path, stored)
    check_replaces(tmp_path, example_facts(weights_known_by="user"), EvalResult)
    check_replaces(tmp_path, example_facts(weights_sha256="b" * 64, weights_known_by="published-hash"), EvalResult)
    with pytest.raises(
        ResultError, match="holds the result of weights a639ec97..., known by published-hash; these are"
    ):
        check_replaces(tmp_path, example_facts(weights_sha256="b" * 64, weights_known_by="user"), EvalResult)


def test_stored_results_are_written_as_they_are(tmp_path: Path) -> None:
    """Their keys in their order, to the byte."""
    paths = sorted(RESULTS.glob("*/*@*.json"))
    for path, result in zip(paths, read_results(RESULTS)):
        assert write_result(tmp_path, result).read_bytes() == path.read_bytes()
    assert paths


def test_every_field_has_its_place_in_the_file() -> None:
    fields = {field.name for kind in (EvalResult, LabelResult) for field in dataclasses.fields(kind)}
    assert sorted(store.KEYS) == sorted(fields)


def test_the_same_run_is_found_whenever_it_was_made() -> None:
    stored = example_result(tta="flip", date="2020", commit="abc", seconds=1.0)
    facts = example_facts(tta="flip")
    assert store.find_same([example_result(), stored], facts) is stored
    assert store.find_same([stored], dataclasses.replace(facts, dataset_fingerprint="e" * 64)) is None


def test_a_protocol_of_one_s_own_is_kept_with_all_its_fields_and_a_forged_one_refused(tmp_path: Path) -> None:
    own = as_own(dataclasses.replace(PROTOCOLS["timm"], name="mine", crop=200))
    result = dataclasses.replace(example_result(), protocol=own.name, own_protocol=facts_of(own))
    path = write_result(tmp_path, result)
    assert path.name == f"densenet121.tv_in1k@mine_{own.name[-12:]}.json"
    assert read_results(tmp_path) == [result]
    text = path.read_text()
    for before, after in [('"crop": 200', '"crop": 224'), (f'"{own.name}"', '"timm"')]:
        path.write_text(text.replace(before, after))
        with pytest.raises(ResultError, match=r"protocol .* is not what own_protocol says"):
            read_results(tmp_path)
    values = json.loads(text)
    del values["own_protocol"]
    path.write_text(json.dumps(values))
    with pytest.raises(ResultError, match="is somebody's own, and own_protocol doesn't say what it is"):
        read_results(tmp_path)


def test_a_sample_is_neither_stored_nor_read(tmp_path: Path) -> None:
    path = write_result(tmp_path, example_result())
    before = path.read_bytes()
    sample = example_result(num_samples=100, sampled_from=50000)
    message = (
        r"tv_in1k@torchvision.json: .*a measurement of 100 of 50,000 images \(--limit\) is no result of the dataset"
    )
    with pytest.raises(ResultError, match=message):
        write_result(tmp_path, sample)
    assert path.read_bytes() == before
    path.write_text(json.dumps({**json.loads(before), "num_samples": 100, "sampled_from": 50000}))
    with pytest.raises(ResultError, match=message):
        read_results(tmp_path)
