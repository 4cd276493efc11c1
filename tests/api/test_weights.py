"""Published weights by a model's name."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

import densezoo
from densezoo import api
from densezoo.errors import DownloadError, UnknownNameError


def test_names_without_weights() -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        densezoo.fetch_weights("densenet121.tv_in1")
    with pytest.raises(DownloadError, match="offers no weights"):
        densezoo.fetch_weights("densenet_40_12.lua_cifar10")


def test_shipped_weights_are_returned_as_they_are() -> None:
    assert densezoo.fetch_weights("densenet_bc_22_8.densezoo_digits") == api.DEMO[1]


def test_every_wrong_file_of_the_cache_is_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    assert api.verify_weights() == {}
    for name in ("a.pth", "b.pth"):
        path = tmp_path / "weights" / "densenet121.tv_in1k" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")
        if name == "a.pth":
            digest = hashlib.sha256(b"weights").hexdigest()
            path.with_name("a.pth.json").write_text(json.dumps({"sha256": digest}))
    with pytest.raises(DownloadError) as caught:
        api.verify_weights()
    first, *lines = str(caught.value).splitlines()
    assert first == "1 of 2 files are wrong"
    (line,) = lines
    assert line.startswith(f"{tmp_path}/weights/densenet121.tv_in1k/b.pth: it is neither in the index nor recorded")
