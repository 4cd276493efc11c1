"""What is known of weights, from their file, the index and the caller."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from densezoo import api
from densezoo.api.described import describe_weights
from densezoo.errors import ConfigError, UnknownNameError
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.protocols import get_protocol
from densezoo.protocols.own import as_own

CONFIG, WEIGHTS = api.DEMO


def test_the_file_s_own_words() -> None:
    found = describe_weights(WEIGHTS)
    assert (found.protocol.name, found.dataset, found.complete) == ("digits", "digits", True)
    assert found.origin is not None
    assert found.origin.name == "densenet_bc_22_8.densezoo_digits"
    assert found.facts == {**found.report.stated, "architecture": found.facts["architecture"]}


def test_what_a_caller_says_comes_first(tmp_path: Path) -> None:
    assert describe_weights(WEIGHTS, CONFIG).complete
    other = describe_weights(WEIGHTS, dataset="imagefolder", class_names=list("abcdefghij"))
    assert (other.dataset, other.complete) == ("imagefolder", False)
    assert other.facts["class_names"] == list("abcdefghij")
    assert other.facts["recipe"] == other.report.stated["recipe"]


def test_a_whole_protocol_in_a_file_is_complete(tmp_path: Path) -> None:
    found = describe_weights(WEIGHTS)
    mine = as_own(dataclasses.replace(get_protocol("digits"), name="mine", std=(0.5,)))
    path = tmp_path / "mine.safetensors"
    write_safetensors(path, found.weights, {**found.facts, "protocol": dataclasses.asdict(mine)})
    own = describe_weights(path)
    assert (own.protocol, own.complete, own.origin) == (mine, True, None)


def test_the_index_knows_a_file_by_its_own_hash_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = describe_weights(WEIGHTS)
    path = tmp_path / "stranger.safetensors"
    write_safetensors(path, found.weights, {"sha256": found.sha256})
    with pytest.raises(ConfigError, match="doesn't say how pictures are prepared"):
        describe_weights(path)
    assert describe_weights(path, protocol="digits", dataset="digits").origin is None
    own = {file_sha256(path): found.origin}
    monkeypatch.setattr("densezoo.api.described.identify", lambda _, sha256: (own.get(sha256), ""))
    listed = describe_weights(path)
    assert (listed.protocol.name, listed.dataset, listed.complete) == ("digits", "digits", False)
    assert listed.origin == found.origin


def test_file_and_index_that_name_different_protocols_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = describe_weights(WEIGHTS)
    mine = as_own(dataclasses.replace(get_protocol("digits"), name="mine", std=(0.5,)))
    path = tmp_path / "mine.safetensors"
    write_safetensors(path, found.weights, {**found.facts, "protocol": dataclasses.asdict(mine)})
    monkeypatch.setattr("densezoo.api.described.identify", lambda path, sha256: (found.origin, ""))
    with pytest.raises(ConfigError, match=r"prepared by protocol mine~\w+, and .*yml says digits of it"):
        describe_weights(path)
    assert describe_weights(path, protocol=mine.name).protocol == mine
    assert describe_weights(path, CONFIG).protocol.name == "digits"


def test_what_doesn_t_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="takes images of 1 channels, and protocol torchvision gives 3"):
        describe_weights(WEIGHTS, protocol="torchvision")
    with pytest.raises(ConfigError, match="expected 10 class names"):
        describe_weights(WEIGHTS, class_names=["a"])
    with pytest.raises(UnknownNameError, match="did you mean 'digits'"):
        describe_weights(WEIGHTS, dataset="digit")
