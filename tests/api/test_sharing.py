"""Folders for timm and the hub; the hub's own client talks to a server on 127.0.0.1."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import yaml
from huggingface_hub import ModelCard
from huggingface_hub._eval_results import parse_eval_result_entries
from timm.data.config import resolve_data_config

from densezoo.api.sharing import load_from_hub, push_to_hub, save_for_hub
from densezoo.conversion.export import export
from densezoo.conversion.load import load_checkpoint
from densezoo.errors import CheckpointError, ConfigError, DownloadError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.paths import ROOT
from densezoo.results.store import read_results

COMMIT = "0123456789abcdef0123456789abcdef01234567"
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
    save_for_hub(source, tmp_path / "hf", results=[dataclasses.replace(measured, weights_sha256=sha256)])
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


class Hub:
    """As much of huggingface.co as its client asks for: one repository, files kept in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.served: dict[str, bytes] = {}  # what it sends in place of a file
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                hub.get(self)

            do_HEAD = do_GET

            def do_POST(self) -> None:
                hub.post(self)

            def log_message(self, *args: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def get(self, request: BaseHTTPRequestHandler) -> None:
        path = request.path.partition("?")[0]
        if path.startswith("/api/models/me/tiny"):
            files = [
                {"rfilename": name, "size": len(content), "blobId": blob(content)}
                for name, content in self.files.items()
            ]
            return send(request, {"id": "me/tiny", "sha": COMMIT, "siblings": files})
        name = path.removeprefix(f"/me/tiny/resolve/{COMMIT}/")
        if name not in self.files:
            return send(request, {"error": "not found"}, 404)
        content = self.served.get(name, self.files[name])
        return send(request, content, headers={"ETag": f'"{blob(self.files[name])}"', "X-Repo-Commit": COMMIT})

    def post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["Content-Length"]))
        if request.path == "/api/repos/create":
            return send(request, {"url": f"{self.url}/me/tiny", "id": "me/tiny", "name": "me/tiny"})
        if "/preupload/" in request.path:
            files = [{"path": each["path"], "uploadMode": "regular"} for each in json.loads(body)["files"]]
            return send(request, {"files": [{**each, "shouldIgnore": False} for each in files]})
        if "/commit/" in request.path:
            for entry in map(json.loads, body.splitlines()):
                if entry["key"] == "file":
                    self.files[entry["value"]["path"]] = base64.b64decode(entry["value"]["content"])
            commit = {"commitUrl": f"{self.url}/me/tiny/commit/{COMMIT}", "commitOid": COMMIT, "success": True}
            return send(request, commit)
        return send(request, {"errors": [], "warnings": []})


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def send(request: BaseHTTPRequestHandler, body: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    request.send_response(status)
    for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
        request.send_header(name, value)
    request.end_headers()
    if request.command != "HEAD":
        request.wfile.write(content)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    hub = Hub()
    monkeypatch.setenv("HF_ENDPOINT", hub.url)
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


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
