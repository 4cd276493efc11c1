"""Weights put on the hub by a command, and used from there by name."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hub_server import COMMIT, Hub
from huggingface_hub import ModelCard, ModelCardData

from densezoo import api


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_TOKEN", "t")
    with Hub() as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        yield hub


def test_what_was_measured_goes_with_the_weights(
    hub: Hub, tool: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("push", api.DEMO[1], "me/tiny") == 1
    assert "timm's DenseNet can't have stem 'cifar'" in capsys.readouterr().err
    assert hub.files == {}
    assert tool("push", api.DEMO[1], "me/tiny", "--no-timm", "--license", "mit", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "pushed": f"{hub.url}/me/tiny/commit/{COMMIT}",
        "results": ["digits/digits"],
    }
    assert set(hub.files) == {".eval_results/densezoo.yaml", "README.md", "SHA256SUMS", "model.safetensors"}
    data = ModelCard(hub.files["README.md"].decode(), ignore_metadata_errors=False).data
    assert isinstance(data, ModelCardData)
    assert (data.license, data.model_name) == ("mit", "tiny")
