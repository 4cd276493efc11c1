"""One conversion as a function: what it says of the file, what it writes, what it refuses before it reads."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import pytest
import torch

from densezoo import api
from densezoo.api import conversion
from densezoo.errors import CheckpointError, ConfigError, UnknownNameError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import stated_facts, write_safetensors
from densezoo.index.load import get_spec
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.protocols.own import as_own

SOURCE = ROOT / "tests/fixtures/formats/mindvision/small.ckpt"


def test_what_is_written_says_what_it_is_and_where_it_is_from(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    report, written = api.convert_checkpoint(SOURCE, path)
    assert report.exact
    assert written == {
        "path": str(path),
        "to": "densezoo",
        "sha256": file_sha256(path),
        "source_sha256": file_sha256(SOURCE),
        "verified": {},
    }
    facts = stated_facts(path, read_checkpoint(path).metadata)
    assert facts["origin"] == {"file": "small.ckpt", "format": report.format, "source": "mindvision"}
    assert (facts["protocol"], facts["sha256"]) == ("mindvision", file_sha256(SOURCE))
    again, repeated = api.load_checkpoint(path)
    assert repeated.architecture == report.architecture  # max pools included, which no tensor shows
    first = api.load_checkpoint(SOURCE)[0].state_dict()
    assert all(torch.equal(tensor, first[name]) for name, tensor in again.state_dict().items())


def test_the_index_knows_the_protocol_of_its_own_files(tmp_path: Path) -> None:
    api.convert_checkpoint(api.DEMO[1], tmp_path / "m.safetensors")
    facts = stated_facts(tmp_path / "m.safetensors", read_checkpoint(tmp_path / "m.safetensors").metadata)
    assert facts["protocol"] == "digits"


def test_names_and_extensions_are_refused_before_a_file_is_read(tmp_path: Path) -> None:
    nowhere = tmp_path / "nowhere.pth"
    with pytest.raises(UnknownNameError, match="there is no target 'onxx'; did you mean 'onnx'"):
        api.convert_checkpoint(nowhere, tmp_path / "m.onnx", to="onxx")
    with pytest.raises(ConfigError, match="m.onnx: .onnx is for onnx, not for keras"):
        api.convert_checkpoint(nowhere, tmp_path / "m.onnx", to="keras")


def test_a_checkpoint_is_not_replaced_by_its_conversion(tmp_path: Path) -> None:
    """Its bytes are those that the index knows."""
    path = Path(shutil.copy(api.DEMO[1], tmp_path / "a.safetensors"))
    content = path.read_bytes()
    (tmp_path / "b.safetensors").symlink_to(path)
    for destination in (path, tmp_path / "b.safetensors"):
        with pytest.raises(ConfigError, match="is the checkpoint itself, which the result would replace"):
            api.convert_checkpoint(path, destination)
    assert path.read_bytes() == content


def test_a_conversion_that_computes_something_else_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = ROOT / "tests/fixtures/formats/torchvision/small_legacy.pth"
    monkeypatch.setattr(conversion, "largest_error", lambda *_: 2e-3)
    with pytest.raises(CheckpointError) as caught:
        api.convert_checkpoint(source, tmp_path / "m.safetensors", verify=True)
    assert str(caught.value).startswith(f"{source}: in torchvision its logits differ from densezoo's by 2.0e-03 of the")
    monkeypatch.setattr(conversion, "largest_error", lambda *_: float("nan"))
    with pytest.raises(CheckpointError, match="differ from densezoo's by nan"):
        api.convert_checkpoint(source, tmp_path / "m.safetensors", verify=True)


def test_a_conversion_keeps_what_a_trained_file_says_of_its_logits(tmp_path: Path) -> None:
    network, _ = api.load_checkpoint(api.DEMO[1])
    own = {"name": "mine", "mean": [0.5], "std": [0.5], "channel_order": "L", "source": "x"}
    facts = {"class_names": ["a"] * 10, "multi_label": True, "dataset": "imagefolder", "protocol": own}
    write_safetensors(tmp_path / "a.safetensors", network.state_dict(), facts)
    api.convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    stated = api.load_checkpoint(tmp_path / "b.safetensors")[1].stated
    assert {name: stated[name] for name in facts} == facts


def test_a_conversion_states_the_protocol_of_its_file_and_refuses_an_index_that_names_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number under the wrong one of two protocols would be served in silence."""
    network, found = api.load_checkpoint(api.DEMO[1])
    source, spec = tmp_path / "a.safetensors", get_spec("densenet_bc_22_8.densezoo_digits")
    monkeypatch.setattr("densezoo.api.conversion.identify", lambda path, sha256: (spec, "published-hash"))
    monkeypatch.setattr("densezoo.api.pixels.identify", lambda path, sha256: (spec, "published-hash"))
    write_safetensors(source, network.state_dict(), {"protocol": "svhn"})
    for write in (api.convert_checkpoint, api.export_pixels):
        with pytest.raises(ConfigError, match=r"prepared by protocol svhn, and .*densezoo\.yml says digits of it"):
            write(source, tmp_path / "b.onnx")
    assert found.stated["protocol"] == "digits"


def test_a_conversion_says_what_an_index_s_own_protocol_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the index isn't, its name would mean nothing."""
    network, _ = api.load_checkpoint(api.DEMO[1])
    mine = as_own(dataclasses.replace(get_protocol("digits"), name="mine", std=(0.5,)))
    spec = dataclasses.replace(get_spec("densenet_bc_22_8.densezoo_digits"), protocol=mine.name)
    monkeypatch.setattr("densezoo.api.conversion.identify", lambda path, sha256: (spec, "published-hash"))
    write_safetensors(tmp_path / "a.safetensors", network.state_dict(), {})
    api.convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors")
    stated = api.load_checkpoint(tmp_path / "b.safetensors")[1].stated["protocol"]
    assert isinstance(stated, dict)
    assert (stated["name"], stated["std"]) == (mine.name, [0.5])
