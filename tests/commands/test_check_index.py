"""The index held against networks and fields, as a command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.paths import ROOT

Tool = Callable[..., int]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "FLOPs: 858956",
            "FLOPs: 858957",
            "model densenet_bc_22_8.densezoo_digits: Metadata: FLOPs: torchvi",
        ),
        ("Parameters: 32318", "Parameters: 32319", "Metadata: Parameters is 32,319"),
        ("  Protocol: digits\n", "  Protocol: digits\n  Protocol: timm\n", "the key 'Protocol' twice"),
    ],
)
def test_checking_an_index(
    tool: Tool, tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    text = (ROOT / "metafiles/densezoo.yml").read_text()
    for folder, content in (("right", text), ("wrong", text.replace(old, new))):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "densezoo.yml").write_text(content)
        (tmp_path / folder / "model-index.yml").write_text("Import: [densezoo.yml]\n")
    assert tool("check_index", tmp_path / "right" / "model-index.yml") == 0
    assert capsys.readouterr().out == "2 models checked: fields, parameters and FLOPs are right\n"
    assert tool("check_index", tmp_path / "wrong" / "model-index.yml") == 1
    error = capsys.readouterr().err
    assert "wrong/densezoo.yml" in error
    assert message in error
