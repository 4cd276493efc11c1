"""Names with timm's prefixes where a model is expected (what a server may do wrong: tests/api/test_sharing.py)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub
from PIL import Image
from sklearn.datasets import load_digits

import densezoo
from densezoo import api
from densezoo.commands import options
from densezoo.errors import ConfigError, DownloadError
from densezoo.formats.identity import file_sha256
from densezoo.index.hub import fetch_from_hub, find_prefixed
from densezoo.training.start import weights_file


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Has densezoo's digits network."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    with Hub() as hub:
        hub.files["model.safetensors"] = api.DEMO[1].read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


@pytest.mark.parametrize("name", ["hf-hub:me/tiny", "hf_hub:me/tiny", f"hf-hub:me/tiny@{COMMIT}"])
def test_the_file_of_a_repository(name: str, hub: Hub) -> None:
    for path in (find_prefixed(name), api.fetch_weights(name), options.find_weights(Path(name))[0], weights_file(name)):
        assert path is not None
        assert path.read_bytes() == api.DEMO[1].read_bytes()
    assert find_prefixed("densenet121.tv_in1k") is None
    with pytest.raises(DownloadError, match="me/other: can't be fetched from the hub"):
        find_prefixed(name.replace("tiny", "other"))


def test_a_revision_is_asked_for(hub: Hub) -> None:
    with pytest.raises(DownloadError, match="me/tiny: can't be fetched"):
        fetch_from_hub("me/tiny", revision="no-such-branch")


def test_a_classifier_of_a_repository_and_of_a_folder_like_one(
    hub: Hub, tmp_path: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert densezoo.Classifier("hf-hub:me/tiny", workers=0, device="cpu").protocol.name == "digits"
    folder = tmp_path / "folder"
    with pytest.raises(ConfigError, match=r"local-dir:.*: there is no .*folder/model\.safetensors"):
        densezoo.Classifier(f"local-dir:{folder}")
    folder.mkdir()
    shutil.copy(api.DEMO[1], folder / "model.safetensors")
    picture = tmp_path / "digit.png"
    Image.fromarray((load_digits().images[0] * 15).astype("uint8")).save(picture)
    assert tool("predict", f"local-dir:{folder}", picture, "--workers", 0, "--json") == 0
    assert json.loads(capsys.readouterr().out)["predictions"][0]["answers"][0]["name"] == "0"


@pytest.mark.parametrize("name", ["me/tiny", f"me/tiny@{COMMIT}"])
def test_without_a_network_the_commit_that_was_fetched_last_is_taken_and_named(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    with Hub() as hub:
        hub.files["model.safetensors"] = api.DEMO[1].read_bytes()
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        fetched = find_prefixed(f"hf-hub:{name}")
    assert fetched is not None
    assert caplog.text == ""
    assert find_prefixed(f"hf-hub:{name}") == fetched
    (message,) = caplog.messages
    assert "me/tiny: the hub can't be reached (" in message
    assert f"taken from the cache: commit {COMMIT}, which {name.partition('@')[2] or 'main'} was when" in message
    assert find_prefixed(f"hf-hub:me/tiny@{COMMIT}") == fetched
    for other in (f"hf-hub:{name}-other", "hf-hub:me/tiny@branch"):
        with pytest.raises(DownloadError, match="can't be fetched from the hub"):
            find_prefixed(other)
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("HF_ENDPOINT", f"{hub.url}/other")  # whose repository of that name is another one
        with pytest.raises(DownloadError, match="can't be fetched from the hub"):
            find_prefixed(f"hf-hub:{name}")
    fetched.resolve().write_bytes(b"changed")
    with pytest.raises(DownloadError, match=r"model\.safetensors is not the file whose hash the hub states"):
        find_prefixed(f"hf-hub:{name}")
    with pytest.raises(DownloadError, match="can't be fetched from the hub"):
        find_prefixed(f"hf-hub:{name}")  # it was removed


def test_a_refusal_of_the_hub_is_no_lack_of_a_network(hub: Hub) -> None:
    find_prefixed("hf-hub:me/tiny")
    hub.gone = True
    with pytest.raises(DownloadError, match="me/tiny: can't be fetched from the hub"):
        find_prefixed("hf-hub:me/tiny")


def test_a_fetched_file_is_hashed_once_by_the_hash_that_the_hub_states(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.lfs = True
    hashed: list[str] = []

    def noted(path: Path) -> str:
        hashed.append(path.name)
        return file_sha256(path)

    monkeypatch.setattr("densezoo.index.hub.file_sha256", noted)
    monkeypatch.setattr("densezoo.index.hub._git_hash", lambda path: hashed.append("git"))
    fetch_from_hub("me/tiny", sha256=file_sha256(api.DEMO[1]))
    assert hashed == ["model.safetensors"]
