"""A private index: own metafiles, configs, weights, protocols and results outside the package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import densezoo
from densezoo import api
from densezoo.errors import MetafileError, UnknownNameError
from densezoo.formats.safetensors import write_safetensors
from densezoo.index.load import get_spec, load_index
from densezoo.paths import INDEX, PRIVATE, RESULTS, ROOT, results_folder
from densezoo.protocols import PROTOCOLS
from densezoo.protocols.text import protocol_text

NAME = "densenet_bc_22_8.acme_digits"
METAFILE = """
Collections:
- Name: acme
  Metadata: {Architecture: [Dense Block]}
  Paper: {Title: a, URL: "https://example.org/paper"}
  Code: {URL: "https://example.org/code"}
Models:
- Name: densenet_bc_22_8.acme_digits
  In Collection: acme
  Config: configs/mine.py
  Protocol: mine.yml
  Metadata: {Parameters: 32318, Image Size: 8, FLOPs: 858956}
  Weight Files:
  - {Path: mine.safetensors, Framework: torch, Format: safetensors, Keymap: torchvision}
"""


@pytest.fixture
def zoo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a private index of one model, whose weights are like those of the digits network."""
    for folder in ("configs", "metafiles"):
        (tmp_path / folder).mkdir()
    (tmp_path / "model-index.yml").write_text("Import: [metafiles/mine.yml]")
    (tmp_path / "metafiles/mine.yml").write_text(METAFILE)
    (tmp_path / "configs/mine.py").write_text((ROOT / "configs/digits/densenet_bc_22_8_digits.py").read_text())
    (tmp_path / "mine.yml").write_text(protocol_text(PROTOCOLS["digits"], "mine", "Mine."))
    network, _ = densezoo.load_checkpoint(api.DEMO[1])
    weights = network.state_dict()
    weights["classifier.bias"] += 0.01
    write_safetensors(tmp_path / "mine.safetensors", weights, {})
    monkeypatch.setenv(PRIVATE, str(tmp_path))
    return tmp_path


def test_its_models_stand_beside_densezoo_s(zoo: Path) -> None:
    assert load_index()[NAME] == get_spec(NAME)
    assert [*load_index()][:-1] == [*load_index(INDEX)]
    assert [*load_index(zoo / "model-index.yml")] == [NAME]
    spec = get_spec(NAME)
    assert spec.config == str(zoo / "configs/mine.py")
    assert spec.protocol.startswith("mine~")
    assert api.check_index(zoo / "model-index.yml") == 1
    assert densezoo.fetch_weights(NAME) == zoo / "mine.safetensors"
    assert "mine~" in api.describe_model(NAME)


def test_without_it_they_are_unknown(zoo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PRIVATE)
    assert NAME not in load_index()
    assert results_folder() == RESULTS
    with pytest.raises(UnknownNameError):
        get_spec(NAME)


def test_measured_shown_and_drawn_beside_the_index(
    zoo: Path, tool: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted(path for path in ROOT.glob("results/**/*.json"))
    monkeypatch.delenv(PRIVATE)
    given = ("--index", zoo / "model-index.yml")
    monkeypatch.setenv(PRIVATE, "")  # so that what --index sets is taken back
    files = (zoo / "configs/mine.py", zoo / "mine.safetensors")
    assert tool("test", *files, "--model", NAME, "--workers", 0, *given) == 0
    (stored,) = zoo.glob("results/digits/*.json")
    assert stored.name.startswith(f"{NAME}@mine_")
    assert sorted(path for path in ROOT.glob("results/**/*.json")) == before
    assert tool("list_models", "*acme*", "--where", "measured_top1 > 90", *given) == 0
    assert NAME in capsys.readouterr().out
    assert tool("make_tables", *given) == 0
    assert NAME in (zoo / "docs/results/digits.md").read_text()
    assert "mine~" in (zoo / "docs/results/digits.md").read_text()
    assert "densenet121" not in (zoo / "docs/models/index.md").read_text()
    assert tool("make_tables", "--check", *given) == 0
    (zoo / "results").rename(zoo / "elsewhere")
    assert tool("make_tables", "--check", *given) == 1
    assert api.make_tables(zoo / "elsewhere", check=True) == []


def test_a_name_of_densezoo_s_is_refused(zoo: Path) -> None:
    name = "densenet_bc_22_8.densezoo_digits"
    (zoo / "metafiles/mine.yml").write_text(METAFILE.replace(NAME, name))
    load = load_index.__globals__
    load["_load_index"].cache_clear()
    load["_with_private"].cache_clear()
    with pytest.raises(MetafileError, match=f"model {name}: is a model of densezoo's; choose another tag"):
        load_index()


def test_what_is_wrong_in_it_is_named(zoo: Path) -> None:
    (zoo / "mine.yml").write_text("name: mine")
    with pytest.raises(MetafileError, match=r"metafiles/mine\.yml: model .*: Protocol: .*mine\.yml: the key"):
        load_index()


def test_densezoo_s_own_index_is_none_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PRIVATE, str(INDEX))
    assert load_index() == load_index(INDEX)
    assert results_folder() == RESULTS
