from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.protocols.text import field_meanings, protocol_text
from densezoo.types import Protocol


@pytest.mark.parametrize("name", [*PROTOCOLS])
def test_every_protocol_is_read_back(name: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yml"
    path.write_text(protocol_text(PROTOCOLS[name], "mine", "One of mine."))
    found = dataclasses.asdict(get_protocol(str(path)))
    assert {**found, "name": name} == dataclasses.asdict(PROTOCOLS[name])


def test_every_field_is_explained() -> None:
    assert {*field_meanings()} == {field.name for field in dataclasses.fields(Protocol)}
    text = protocol_text(PROTOCOLS["digits"], "mine", "One of mine.")
    assert text.startswith("# One of mine.\n\n# What --protocol takes.\nname: mine\n")
    assert "# Order in which the network gets the channels; L is one grey channel. One of\n# RGB, BGR, L.\n" in text
    assert "\nimage_size: 8\n" in text
    assert all(len(line) <= 80 for line in text.splitlines() if line.startswith("#"))
