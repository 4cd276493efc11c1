from __future__ import annotations

import re
from pathlib import Path

import pytest

from densezoo import api
from densezoo.api.starts import write_start
from densezoo.config import load_config
from densezoo.errors import ConfigError
from densezoo.index.load import load_index
from densezoo.protocols import get_protocol


def test_its_own_checker_accepts_each_as_it_is(tmp_path: Path) -> None:
    assert write_start("protocol", tmp_path / "new/mine.yml") == [tmp_path / "new/mine.yml"]
    assert get_protocol(str(tmp_path / "new/mine.yml")).name.startswith("mine~")
    write_start("config", tmp_path / "mine.py")
    assert load_config(tmp_path / "mine.py").train is not None
    written = write_start("metafile", tmp_path / "zoo/metafiles/Acme.yml")
    assert written == [tmp_path / "zoo/metafiles/Acme.yml", tmp_path / "zoo/model-index.yml"]
    assert api.check_index(tmp_path / "zoo/model-index.yml") == 1
    assert [*load_index(tmp_path / "zoo/model-index.yml")] == ["densenet121.acme_in1k"]
    assert write_start("metafile", tmp_path / "zoo/metafiles/b.yml") == [tmp_path / "zoo/metafiles/b.yml"]


def test_what_stands_in_a_comment_of_the_metafile_is_right_too(tmp_path: Path) -> None:
    _, index = write_start("metafile", tmp_path / "metafiles/acme.yml")
    path = tmp_path / "metafiles/acme.yml"
    text = path.read_text()
    begin = text.index("  # Results:")
    rest = re.sub("^  # ", "  ", text[begin:], flags=re.MULTILINE).replace("SHA256: ...  ", f"SHA256: {'ab' * 32}  ")
    path.write_text(text[:begin] + rest)
    assert api.check_index(index) == 1
    spec = load_index(index)["densenet121.acme_in1k"]
    assert spec.reported[0].top1 == 74.43
    assert spec.weights[0].path == "densenet121.pth"


def test_nothing_is_replaced_and_nothing_misnamed(tmp_path: Path) -> None:
    (tmp_path / "mine.yml").write_text("precious")
    with pytest.raises(ConfigError, match=r"mine\.yml: is there already"):
        write_start("protocol", tmp_path / "mine.yml")
    assert (tmp_path / "mine.yml").read_text() == "precious"
    with pytest.raises(ConfigError, match=r"mine\.yml: expected a name that ends in \.py for a config"):
        write_start("config", tmp_path / "mine.yml")
    with pytest.raises(ConfigError, match="can't be written"):
        write_start("protocol", tmp_path / "mine.yml/b.yml")
