"""A folder ready to be published: loaded, checked and measured as anybody who gets it would."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard, ModelCardData
from small_labels import NUMBER, small_labels

import densezoo
from densezoo import api
from densezoo.api.publishing import publish, stored_results
from densezoo.api.sharing import save_for_hub
from densezoo.config import load_config
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, ConfigError, ResultError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.index.load import get_spec, load_index
from densezoo.paths import PRIVATE
from densezoo.protocols import get_protocol
from densezoo.protocols.text import protocol_text
from densezoo.results.cards import model_cards
from densezoo.results.description import usage
from densezoo.results.store import read_label_results
from densezoo.types import EvalResult, LabelResult

DIGITS = api.DEMO[1]
NAME = "densenet_bc_22_8.acme_digits"
ARCH = DenseNetArchitecture(growth_rate=4, num_init_features=8, block_config=(1, 1), stem="cifar", num_classes=3)


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is published of densezoo's own digits network, which was measured."""
    folder = tmp_path_factory.mktemp("published") / "out"
    published = publish(DIGITS, folder, name=NAME, license="mit", results=stored_results(DIGITS))
    assert published.kept
    assert sorted(published.files) == sorted(path for path in folder.rglob("*") if path.is_file())
    assert published.weights == folder / f"{NAME}-{file_sha256(DIGITS)[:8]}.safetensors"
    return folder


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that says nothing of itself."""
    path = tmp_path_factory.mktemp("stranger") / "Model-best.pth"
    torch.save(build_model(ARCH, "densezoo").state_dict(), path)
    return path


@pytest.fixture
def private(out: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PRIVATE, str(out))
    return out


def test_the_weights_are_those_that_were_given_and_the_hashes_are_theirs(out: Path) -> None:
    (weights,) = out.glob("*.safetensors")
    assert weights.read_bytes() == DIGITS.read_bytes()
    assert weights.stat().st_mode == (out / "README.md").stat().st_mode
    done = subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=out, capture_output=True, text=True, check=True)
    assert done.stdout.count(": OK") == len([path for path in out.rglob("*") if path.is_file()]) - 1


def test_it_is_an_index_that_the_checker_accepts(private: Path, tool: Callable[..., int]) -> None:
    assert tool("check_index", private / "model-index.yml") == 0
    spec, origin = get_spec(NAME), get_spec("densenet_bc_22_8.densezoo_digits")
    assert (spec.architecture, spec.num_params, spec.flops) == (origin.architecture, origin.num_params, origin.flops)
    assert (spec.license, spec.port_of, spec.publisher, spec.protocol) == ("mit", origin.name, "acme_digits", "digits")
    assert [str(result.top1) for result in spec.reported] == ["98.44"]
    assert spec.recipe["epochs"] == 30
    assert api.fetch_weights(NAME).parent == private
    assert load_config(private / "config.py").train == load_config(api.DEMO[0]).train


def test_what_is_measured_anew_is_what_was_published(
    private: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(private, copy)
    assert tool("list_models", "*acme*", "--where", "measured_top1 > 98", "--index", copy) == 0
    assert NAME in capsys.readouterr().out
    assert tool("test", NAME, "--index", copy, "--workers", 0, "--device", "cpu") == 0
    assert "agrees" in capsys.readouterr().out
    weights = next(copy.glob("*.safetensors"))
    (result,) = results = stored_results(weights)
    assert (result.model, result.weights_known_by) == (NAME, "published-hash")
    assert publish(weights, copy, results=results, overwrite=True).name == NAME


def test_another_index_imports_it_by_one_line(out: Path, tmp_path: Path) -> None:
    shutil.copytree(out, tmp_path / "zoo/mine")
    (tmp_path / "zoo/config.py").write_text("another's")
    index = tmp_path / "zoo/model-index.yml"
    index.write_text("Import:\n- mine/metafile.yml\n")
    assert api.check_index(index) == 1
    assert load_index(index)[NAME].config == str(tmp_path / "zoo/mine/config.py")


def test_the_card_is_the_hub_s_and_its_code_runs(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (out / "README.md").read_text()
    data = ModelCard(text, ignore_metadata_errors=False).data
    assert isinstance(data, ModelCardData)
    assert (data.model_name, data.license, data.datasets) == (NAME, "mit", ["digits"])
    assert [entry.metric_value for entry in data.eval_results or ()] == [result.top1 for result in measured()] + [100.0]
    assert "| epochs | 30 |" in text
    (code,) = re.findall(r"```python\n(.*?)print", text, re.DOTALL)
    monkeypatch.chdir(out)
    scope: dict[str, object] = {}
    exec(code, scope)
    assert isinstance(scope["classifier"], densezoo.Classifier)


def measured() -> list[EvalResult]:
    return [result for result in stored_results(DIGITS) if isinstance(result, EvalResult)]


def test_a_file_that_says_nothing_is_completed(stranger: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"doesn't say how pictures are prepared for it; give --protocol, or a --con"):
        publish(stranger, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"doesn't say whose classes its outputs are; give --dataset"):
        publish(stranger, tmp_path / "out", protocol="cifar10")
    own = tmp_path / "mine.yml"
    own.write_text(
        protocol_text(dataclasses.replace(get_protocol("cifar10"), name="mine", mean=(0.1, 0.2, 0.3)), "mine", "")
    )
    result = dataclasses.replace(
        measured()[0],
        weights_sha256=file_sha256(stranger),
        dataset="imagefolder",
        architecture=architecture_values(ARCH),
    )
    published = publish(
        stranger, tmp_path / "out", protocol=str(own), dataset="imagefolder", class_names=["a", "b", "c"],
        results=[result],
    )  # fmt: skip
    assert (published.name, published.kept) == ("model_best.own", False)
    assert published.protocol == get_protocol(str(own)).name
    network, report = load_checkpoint(published.weights)
    assert report.stated["class_names"] == ["a", "b", "c"]
    assert report.protocol == published.protocol
    first = load_checkpoint(stranger)[0].state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in network.state_dict().items())
    spec = load_index(tmp_path / "out/model-index.yml")["model_best.own"]
    assert spec.protocol == published.protocol
    assert get_protocol(str(tmp_path / "out/protocol.yml")).mean == (0.1, 0.2, 0.3)
    note = f"measured of the file with the sha256 {file_sha256(stranger)}, whose weights these are to the bit"
    assert [reported.note for reported in spec.reported] == [note]
    assert note in (tmp_path / "out/README.md").read_text().lower()
    (stored,) = (tmp_path / "out/results").rglob("*.json")
    assert json.loads(stored.read_text())["weights_sha256"] == file_sha256(stranger)
    assert [*densezoo.Classifier(published.weights, device="cpu").class_names] == ["a", "b", "c"]


def test_a_result_of_another_computation_is_refused(stranger: Path, tmp_path: Path) -> None:
    own = {"weights_sha256": file_sha256(stranger), "architecture": architecture_values(ARCH)}
    result = dataclasses.replace(measured()[0], **own)  # type: ignore[arg-type]  # each of its type
    with pytest.raises(ConfigError, match=r"was measured with bn_eps 1e-05, but 0\.5 is published"):
        publish(stranger, tmp_path / "out", protocol="cifar10", dataset="cifar10", bn_eps=0.5, results=[result])
    assert list(tmp_path.iterdir()) == []


def test_a_recipe_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.safetensors"
    network, report = load_checkpoint(DIGITS)
    write_safetensors(path, network.state_dict(), {**report.stated, "recipe": {"lr": 0.1}})
    with pytest.raises(ConfigError, match="train: the key 'epochs' is missing"):
        publish(path, tmp_path / "out", name=NAME)
    assert list(tmp_path.iterdir()) == [path]


def test_a_config_says_it_and_is_held_against_the_weights(stranger: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError):
        publish(stranger, tmp_path / "out", config=api.DEMO[0])
    assert list(tmp_path.iterdir()) == []
    config = tmp_path / "mine.py"
    config.write_text(f"model = {architecture_values(ARCH)!r}\ndataset = 'imagefolder'\nprotocol = 'cifar10'\n")
    assert publish(stranger, tmp_path / "out", config=config).protocol == "cifar10"


def test_weights_on_a_site_are_fetched_and_checked(
    stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"protocol": "cifar10", "dataset": "imagefolder", "url": "https://example.invalid/weights/"}
    published = publish(stranger, tmp_path / "out", **given)  # type: ignore[arg-type]  # texts
    monkeypatch.setenv(PRIVATE, str(tmp_path / "out"))
    (source,) = get_spec(published.name).weights
    assert source.url == f"https://example.invalid/weights/{published.weights.name}"
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DENSEZOO_MIRRORS", str(tmp_path / "out"))
    assert file_sha256(api.fetch_weights(published.name)) == published.sha256


def test_all_or_nothing(stranger: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("precious")
    with pytest.raises(ConfigError, match="out: is there already"):
        publish(DIGITS, tmp_path / "out")
    with pytest.raises(ConfigError, match=r"mine\.txt: is no file of an earlier publication"):
        publish(DIGITS, tmp_path / "out", overwrite=True)
    with pytest.raises(ConfigError, match=r"new/metafile\.yml: .*expected a URL that begins with https://"):
        publish(DIGITS, tmp_path / "new", code="ftp://x")
    with pytest.raises(ConfigError, match="is not of .*, but of other weights"):
        publish(stranger, tmp_path / "new", protocol="cifar10", dataset="imagefolder", results=measured())
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "mine.txt"]


def test_only_an_unchanged_publication_is_replaced(out: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    card = copy / "README.md"
    card.write_text("Edited.")
    with pytest.raises(ConfigError, match=r"copy/README\.md: was changed since it was published .*; move it away"):
        publish(DIGITS, copy, name=NAME, overwrite=True)
    assert card.read_text() == "Edited."
    card.unlink()
    publish(DIGITS, copy, name=NAME, overwrite=True)
    for path in [*copy.iterdir()]:
        path.unlink()
    (copy / "mine.txt").write_text("precious")
    (copy / "SHA256SUMS").write_text(f"{file_sha256(copy / 'mine.txt')}  mine.txt\n")
    with pytest.raises(ConfigError, match=r"copy/SHA256SUMS: doesn't list metafile\.yml"):
        publish(DIGITS, copy, name=NAME, overwrite=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("densenet121", "expected arch.tag in lower case"),
        ("densenet121.tv_in1k", "is a model of densezoo's; choose another tag, such as densenet121.own"),
    ],
)
def test_names_that_can_t_be(name: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        publish(DIGITS, tmp_path / "out", name=name)


def test_results_are_found_by_the_file_s_hash(tmp_path: Path) -> None:
    copy = tmp_path / "a.safetensors"
    shutil.copy(DIGITS, copy)
    (result,) = stored_results(copy)
    assert isinstance(result, EvalResult)
    assert result.top1 == 98.44271412680756
    assert stored_results(copy, tmp_path) == stored_results(tmp_path) == stored_results(tmp_path / "none.pth") == []


def test_a_broken_result_of_a_private_index_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "results/digits").mkdir(parents=True)
    (tmp_path / "results/digits/a.b@digits.json").write_text("{")
    (tmp_path / "model-index.yml").write_text("Import: []")
    monkeypatch.setenv(PRIVATE, str(tmp_path))
    with pytest.raises(ResultError, match=r"a\.b@digits\.json"):
        stored_results(DIGITS)


def test_areas_of_labels_are_published(tmp_path: Path) -> None:
    weights = small_labels(tmp_path)
    out = tmp_path / "results"
    densezoo.evaluate_labels(None, weights, "labels.csv", data_root=tmp_path, out=out, workers=0, device="cpu")
    (result,) = results = stored_results(weights)
    assert isinstance(result, LabelResult)
    published = publish(weights, tmp_path / "out", name=NAME, results=results)
    (stored,) = read_label_results(tmp_path / "out/results")
    assert (stored.model, stored.labels) == (NAME, result.labels)
    card = (tmp_path / "out/README.md").read_text()
    assert "type: roc_auc" in card
    assert f"| never |  |  | 0 | {NUMBER} |" in card
    assert f"densezoo test {published.weights.name} --data-root DATA --label-table LABELS.csv" in card
    assert "Results" not in (tmp_path / "out/metafile.yml").read_text()  # which have a top-1
    specs = load_index(tmp_path / "out/model-index.yml")
    listed = model_cards([specs[NAME]])[f"{specs[NAME].arch}.md"]
    code, expected = listed[listed.index("Predict the likeliest") :], ("labels of", ".sigmoid()[0]", ".topk(3)")
    assert all(
        words in code for words in (*expected, f"densezoo test {NAME} --data-root DATA --label-table LABELS.csv")
    )
    assert "--label-table LABELS.csv" in usage(specs[NAME])
    (tmp_path / "silent").mkdir()
    silent = small_labels(tmp_path / "silent", multi_label=None)
    again = dataclasses.replace(result, weights_sha256=file_sha256(silent))
    publish(silent, tmp_path / "more", name=NAME, results=[again])
    more = load_index(tmp_path / "more/model-index.yml")[NAME]
    assert more.multi_label, "it was measured so, and the file says nothing"
    assert densezoo.Classifier(next((tmp_path / "more").glob("*.safetensors"))).multi_label
    hub = save_for_hub(weights, tmp_path / "hub", results=results, for_timm=False)
    assert sorted(path.name for path in hub) == ["README.md", "SHA256SUMS", "model.safetensors"]
    assert "type: roc_auc" in (tmp_path / "hub/README.md").read_text()
