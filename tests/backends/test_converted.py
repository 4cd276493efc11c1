"""What is converted is kept under all that it depends on, and a broken file is made anew."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from densezoo.backends.converted import converted_to_onnx, identity, kept, weights_sha256
from densezoo.errors import BackendError
from densezoo.families import build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.protocols import get_protocol

ARCHITECTURE = DenseNetArchitecture(4, (1, 2), 8, num_classes=6)


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bytes]:
    """Makes another content at each call; the cache is empty."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    numbers = iter(range(10))
    return lambda: b"made %d" % next(numbers)


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_it_is_made_once(make: Callable[[], bytes], tmp_path: Path) -> None:
    assert [kept("onnx", {"a": 1}, make) for _ in range(3)] == [b"made 0"] * 3
    assert kept("onnx", {"a": 2}, make) == b"made 1"
    assert kept("xml", {"a": 1}, make) == b"made 2"
    assert len(files(tmp_path)) == 3


@pytest.mark.parametrize("damage", [lambda b: b[:-1], lambda b: b"", lambda b: b[:40] + b"?" + b[41:], lambda b: b * 2])
def test_a_file_that_is_not_what_was_written_is_made_anew(
    make: Callable[[], bytes], tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    kept("onnx", {}, lambda: bytes(100))
    (path,) = files(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    assert [kept("onnx", {}, make) for _ in range(2)] == [b"made 0"] * 2


def test_another_entry_s_content_is_not_believed(make: Callable[[], bytes], tmp_path: Path) -> None:
    kept("onnx", {"a": 1}, make)
    (first,) = files(tmp_path)
    kept("onnx", {"a": 2}, make)
    (second,) = set(files(tmp_path)) - {first}
    second.write_bytes(first.read_bytes())
    assert kept("onnx", {"a": 2}, make) == b"made 2"


def test_without_a_cache_it_is_made_every_time(
    make: Callable[[], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "file"))
    assert [kept("onnx", {}, make) for _ in range(2)] == [b"made 0", b"made 1"]


def test_the_identity_holds_all_that_the_logits_depend_on() -> None:
    network, protocol = build_model(ARCHITECTURE), get_protocol("torchvision")
    identities = [identity(network, ARCHITECTURE, protocol)]
    identities.append(identity(network, dataclasses.replace(ARCHITECTURE, bn_eps=1e-3), protocol))
    identities.append(identity(network, ARCHITECTURE, dataclasses.replace(protocol, mean=(0.5, 0.5, 0.5))))
    with torch.no_grad():
        network.get_parameter("classifier.bias")[3] = 1e-7
    identities.append(identity(network, ARCHITECTURE, protocol))
    assert len(set(map(str, identities))) == 4
    assert identity(network, ARCHITECTURE, get_protocol("torchvision")) == identities[-1]


def test_the_sha256_is_of_the_numbers_and_not_of_their_layout() -> None:
    network = build_model(ARCHITECTURE)
    assert weights_sha256(network) == weights_sha256(network.to(memory_format=torch.channels_last))


def test_a_network_that_can_t_be_converted_says_so() -> None:
    arch = RDNetArchitecture((4,), (1,), 8, downsample=(), attention=(), num_classes=3)
    with pytest.raises(BackendError, match="^--backend toy: a step '.*' .* has no writer for ONNX"):
        converted_to_onnx(build_model(arch), arch, get_protocol("torchvision"), "toy")
