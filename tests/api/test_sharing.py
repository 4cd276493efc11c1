"""Folders for timm and the hub; the hub's own client talks to a server on 127.0.0.1."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shlex
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import timm
import torch
import yaml
from hub_server import COMMIT, Hub
from huggingface_hub import ModelCard
from huggingface_hub._eval_results import parse_eval_result_entries
from timm.data.config import resolve_data_config

from densezoo.api.sharing import load_from_hub, push_to_hub, save_for_hub
from densezoo.commands import publish
from densezoo.conversion.export import export
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, ConfigError, DownloadError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.protocols.own import _KNOWN, as_own
from densezoo.results.store import read_results

DIGITS = ROOT / "configs/digits/densenet_bc_22_8_digits.safetensors"


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny network that timm can express, as densezoo's file that states its protocol."""
    torch.manual_seed(0)
    arch = DenseNetArchitecture(growth_rate=4, num_init_features=8, block_config=(1, 2, 1, 1), num_classes=5)
    path = tmp_path_factory.mktemp("source") / "tiny.safetensors"
    facts = {"architecture": architecture_values(arch), "protocol": "torchvision", "class_names": [*"abcde"]}
    export(path, "densezoo", arch, build_model(arch, "densezoo").state_dict(), facts)
    return path


def test_timm_builds_the_same_network_from_the_folder(source: Path, tmp_path: Path) -> None:
    files = save_for_hub(source, tmp_path / "hf")
    assert sorted(path.name for path in files) == ["README.md", "SHA256SUMS", "config.json", "model.safetensors"]
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    theirs = timm.create_model(f"local-dir:{tmp_path / 'hf'}", pretrained=True).eval()
    ours, _ = load_checkpoint(source)
    with torch.inference_mode():
        assert torch.equal(theirs(images), ours(images))
    data = resolve_data_config({}, model=theirs)  # type: ignore[no-untyped-call]
    assert (data["mean"], data["input_size"], data["crop_pct"]) == ([0.485, 0.456, 0.406], (3, 224, 224), 0.875)
    for line in (tmp_path / "hf/SHA256SUMS").read_text().splitlines():
        digest, name = line.split("  ")
        assert hashlib.sha256((tmp_path / "hf" / name).read_bytes()).hexdigest() == digest


def test_what_timm_can_t_build_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"timm's DenseNet can't have stem 'cifar'"):
        save_for_hub(DIGITS, tmp_path / "hf")
    assert list(tmp_path.iterdir()) == []


def test_of_weights_without_a_protocol_the_message_says_how_they_get_one(source: Path, tmp_path: Path) -> None:
    network, report = load_checkpoint(source)
    bare = tmp_path / "my own.safetensors"
    export(bare, "densezoo", report.architecture, network.state_dict(), {})
    with pytest.raises(ConfigError, match="writes: it says so$") as caught:
        save_for_hub(bare, tmp_path / "hf")
    said = re.search("densezoo publish (.*) --protocol NAME --dataset NAME -o FOLDER", str(caught.value))
    assert said is not None
    arguments = shlex.split(f"{said[1]} --protocol timm --dataset imagefolder --name tiny.own -o '{tmp_path}/out'")
    assert publish.main(arguments) == 0
    (written,) = (tmp_path / "out").glob("*.safetensors")
    assert tmp_path / "hf/config.json" in save_for_hub(written, tmp_path / "hf")


def test_a_network_that_timm_can_t_build_goes_without_its_config(hub: Hub) -> None:
    push_to_hub(DIGITS, "me/tiny", token="t", for_timm=False)
    assert set(hub.files) == {"README.md", "SHA256SUMS", "model.safetensors"}
    network, report = load_from_hub("me/tiny")
    own = load_checkpoint(DIGITS)[0].state_dict()
    assert all(torch.equal(tensor, own[name]) for name, tensor in network.state_dict().items())
    assert report.protocol == "digits"
    assert 'densezoo.Classifier("hf-hub:me/tiny")' in hub.files["README.md"].decode()


def test_a_protocol_of_one_s_own_goes_with_the_weights(source: Path, hub: Hub, tmp_path: Path) -> None:
    mine = as_own(dataclasses.replace(get_protocol("torchvision"), name="mine", mean=(0.1, 0.2, 0.3)))
    arch = load_checkpoint(source)[1].architecture
    facts = {"architecture": architecture_values(arch), "protocol": dataclasses.asdict(mine)}
    export(tmp_path / "own.safetensors", "densezoo", arch, load_checkpoint(source)[0].state_dict(), facts)
    _KNOWN.clear()  # as in another process
    push_to_hub(tmp_path / "own.safetensors", "me/tiny", token="t")
    config = json.loads(hub.files["config.json"])
    assert (config["pretrained_cfg"]["mean"], config["densezoo_protocol"]) == ([0.1, 0.2, 0.3], mine.name)
    (tmp_path / "protocol.yml").write_bytes(hub.files["protocol.yml"])
    assert get_protocol(str(tmp_path / "protocol.yml")).name == mine.name
    _KNOWN.clear()
    _, report = load_from_hub("me/tiny")
    assert report.protocol == mine.name
    assert get_protocol(mine.name).mean == (0.1, 0.2, 0.3)


def test_a_result_of_other_weights_is_refused(source: Path, tmp_path: Path) -> None:
    results = [result for result in read_results(ROOT / "results") if result.dataset == "digits"][:1]
    with pytest.raises(ConfigError, match="but of other weights"):
        save_for_hub(source, tmp_path / "hf", results=results)
    sample = dataclasses.replace(results[0], num_samples=30, sampled_from=899)
    with pytest.raises(ConfigError, match="is of 30 of 899 images, a sample, which is no result to publish"):
        save_for_hub(source, tmp_path / "hf", results=[sample])
    assert list(tmp_path.iterdir()) == []


def test_what_was_measured_goes_into_the_card_and_beside_it(source: Path, tmp_path: Path) -> None:
    measured = next(result for result in read_results(ROOT / "results") if result.dataset == "digits")
    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    other = dataclasses.replace(measured, weights_sha256=sha256)
    with pytest.raises(ConfigError, match="was measured with block_config"):
        save_for_hub(source, tmp_path / "hf", results=[other])
    own = dataclasses.replace(other, architecture=architecture_values(load_checkpoint(source)[1].architecture))
    save_for_hub(source, tmp_path / "hf", results=[own])
    data = ModelCard.load(tmp_path / "hf/README.md").data
    assert [entry.metric_value for entry in data.eval_results] == [measured.top1, measured.top5]
    (row,) = yaml.safe_load((tmp_path / "hf/.eval_results/densezoo.yaml").read_text())
    (entry,) = parse_eval_result_entries([row])
    assert (entry.dataset_id, entry.value) == ("digits", measured.top1)


def test_a_folder_that_holds_something_stays(source: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is there already"):
        save_for_hub(source, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_to_the_hub_and_back(source: Path, hub: Hub) -> None:
    address = push_to_hub(source, "me/tiny", token="t", license="mit")
    assert address == f"{hub.url}/me/tiny/commit/{COMMIT}"
    assert set(hub.files) == {"README.md", "SHA256SUMS", "config.json", "model.safetensors"}
    assert ModelCard(hub.files["README.md"].decode()).data.get("license") == "mit"
    weights = hub.files["model.safetensors"]
    network, report = load_from_hub("me/tiny", sha256=hashlib.sha256(weights).hexdigest())
    own, _ = load_checkpoint(source)
    assert report.protocol == "torchvision"
    assert all(torch.equal(tensor, own.state_dict()[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(DownloadError, match="has not the sha256 0000"):
        load_from_hub("me/tiny", sha256="0" * 64)


def test_a_push_removes_what_an_earlier_one_left(hub: Hub) -> None:
    left = (".eval_results/densezoo.yaml", "config.json", "protocol.yml")
    hub.files = dict.fromkeys([*left, "mine.txt", "README.md"], b"of other weights")
    push_to_hub(DIGITS, "me/tiny", token="t", for_timm=False)
    assert set(hub.files) == {"README.md", "SHA256SUMS", "model.safetensors", "mine.txt"}
    assert hub.files["README.md"] != b"of other weights"


def test_what_is_to_be_private_goes_into_no_public_repository(hub: Hub) -> None:
    with pytest.raises(ConfigError, match="me/tiny: is there already, and public"):
        push_to_hub(DIGITS, "me/tiny", token="t", for_timm=False, private=True)
    assert hub.files == {}
    hub.private = True
    push_to_hub(DIGITS, "me/tiny", token="t", for_timm=False, private=True)
    assert "model.safetensors" in hub.files


def test_no_network_is_an_error_of_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and never listens
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{closed.getsockname()[1]}")
        monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
        with pytest.raises(ConfigError, match="me/tiny: the hub doesn't take it"):
            push_to_hub(DIGITS, "me/tiny", token="t", for_timm=False)
        with pytest.raises(DownloadError, match="me/tiny: can't be fetched from the hub"):
            load_from_hub("me/tiny")


def test_bytes_that_are_not_the_stated_ones_are_refused_and_removed(source: Path, hub: Hub, tmp_path: Path) -> None:
    push_to_hub(source, "me/tiny", token="t")
    right = hub.files["model.safetensors"]
    hub.served["model.safetensors"] = right[:-1] + bytes([right[-1] ^ 1])
    with pytest.raises(DownloadError, match=r"model\.safetensors is not the file whose hash the hub states"):
        load_from_hub("me/tiny")
    hub.served.clear()
    assert load_from_hub("me/tiny")[1].protocol == "torchvision"


def test_a_repository_without_weights(hub: Hub) -> None:
    hub.files["../../evil.safetensors"] = b"x"
    with pytest.raises(DownloadError, match=r"me/tiny: has no model\.safetensors"):
        load_from_hub("me/tiny")
    with pytest.raises(DownloadError, match="can't be fetched from the hub"):
        load_from_hub("me/nothing")
