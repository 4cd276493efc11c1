"""A cache of weights that is empty, and one model whose published files are on this machine's own server."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loopback import NAME, Server

from densezoo.index import download, transfer
from densezoo.index.load import get_spec
from densezoo.types import WeightSource


@pytest.fixture
def loopback_only(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hosts that were connected to; any but this machine fails the test."""
    hosts: list[str] = []
    connect = socket.socket.connect

    def checked(self: socket.socket, address: tuple[str, int]) -> None:
        hosts.append(address[0])
        assert address[0] == "127.0.0.1", address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", checked)
    return hosts


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache; the model's folder in it."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("DENSEZOO_MIRRORS", raising=False)
    monkeypatch.setattr(transfer, "PAUSES", (0.0,) * 5)
    return tmp_path / "home" / "weights" / NAME


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """publish(url, hash_prefix=...): makes that the only file of the model; of several URLs, one file each."""

    def change(*urls: str, **facts: object) -> None:
        sources = tuple(WeightSource("torch", "pickle", url=url, **facts) for url in urls)  # type: ignore[arg-type]
        spec = dataclasses.replace(get_spec(NAME), weights=sources)
        monkeypatch.setattr(download, "get_spec", lambda name: spec)

    return change
