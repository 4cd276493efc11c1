"""Every file of the cache checked anew, as a command."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from loopback import CONTENT, DIGEST, NAME, OTHER, PAGE

from densezoo.index import download
from densezoo.index.load import get_spec
from densezoo.index.locations import file_name
from densezoo.types import FileHash, WeightSource


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache's folder of weights."""
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def test_every_wrong_file_is_named_and_left_where_it_is(
    tool: Callable[..., int], cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert tool("verify_weights") == 0
    assert capsys.readouterr().out == (
        f"there is nothing to verify: no file of weights in {cache}; densezoo fetch_weights NAME fetches one\n"
    )
    source = next(source for source in get_spec(NAME).weights if not source.is_hashed)
    path = cache / NAME / file_name(NAME, source)
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    record = {"sha256": DIGEST, "size": len(CONTENT), "from": "a mirror", "date": ""}
    path.with_name(f"{path.name}.json").write_text(json.dumps(record))
    assert tool("verify_weights") == 0
    said = f"{NAME}/{path.name}: sha256 of its first use\n1 file checked, and nothing is wrong\n"
    assert capsys.readouterr() == (said, "")
    path.write_bytes(OTHER)
    stray = path.with_name("stray.pth")
    stray.write_bytes(OTHER)
    page = cache / "densenet169.tv_in1k" / "densenet169-b2777c0a.pth"  # by its publisher's hash, without a record
    page.parent.mkdir()
    page.write_bytes(PAGE)
    assert tool("verify_weights") == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: 3 of 3 files are wrong\n")
    assert f"{path}: its sha256 is {hashlib.sha256(OTHER).hexdigest()}, but was {DIGEST} at its first use" in err
    assert f"{stray}: it is neither in the index nor recorded" in err
    assert f"{page}: this is an HTML page" in err
    assert path.exists()


def test_each_file_has_a_line_with_what_it_was_held_against(
    tool: Callable[..., int], cache: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = hashlib.sha256(CONTENT).hexdigest()
    sources = {
        "a.pth": WeightSource(
            "torch", "pickle", url="https://e.org/a.pth", file_size=len(CONTENT), hash_prefix=digest[:8]
        ),
        "b.h5": WeightSource(
            "keras", "h5", url="https://e.org/b.h5", hashes=(FileHash(md5=hashlib.md5(CONTENT).hexdigest()),)
        ),
    }
    spec = dataclasses.replace(get_spec(NAME), weights=tuple(sources.values()))
    monkeypatch.setattr(download, "load_index", lambda: {NAME: spec})
    (cache / NAME).mkdir(parents=True)
    for name in sources:
        (cache / NAME / name).write_bytes(CONTENT)
    (cache / NAME / "b.h5.json").write_text(json.dumps({"sha256": digest}))
    assert tool("verify_weights") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{NAME}/a.pth: size and 8 digits of the sha256",
        f"{NAME}/b.h5: md5, sha256 of its first use",
        "2 files checked, and nothing is wrong",
    ]
