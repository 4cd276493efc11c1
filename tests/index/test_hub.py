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
