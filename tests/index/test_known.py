"""Whose weights a file holds: by a published hash, by that of its first use, by the user's word if it isn't wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from densezoo.errors import CheckpointError, UnknownNameError
from densezoo.formats.identity import file_sha256
from densezoo.index import download, known
from densezoo.index.known import identify
from densezoo.index.load import get_spec
from densezoo.index.locations import file_name
from densezoo.paths import ROOT
from densezoo.types import FileHash, WeightSource

LUA, CAFFE, DICE = "densenet121.lua_in1k", "densenet121.caffe_in1k", "densenet_bc_100_12.dice_cifar10"
TV = "densenet121.tv_in1k"  # a .pth with a hash, and a .safetensors without


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home" / "weights"


def fetched(cache: Path, model: str, content: bytes) -> Path:
    """A file as it lies in the cache after its first use."""
    path = cache / model / file_name(model, get_spec(model).weights[0])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    path.with_name(f"{path.name}.json").write_text(json.dumps({"sha256": hashlib.sha256(content).hexdigest()}))
    return path


def found(path: Path, name: str | None = None) -> tuple[str | None, str | None]:
    spec, known_by = identify(path, file_sha256(path), name)
    return (spec.name if spec else None), known_by


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    def write(name: str, content: bytes = b"weights") -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return write


def test_nothing_says_whose_they_are(file: Callable[..., Path]) -> None:
    assert found(file("some.t7")) == (None, None)


def test_what_the_cache_got_for_a_name_is_that_name_s(file: Callable[..., Path], cache: Path) -> None:
    path = fetched(cache, LUA, b"weights")
    assert found(path) == found(path, LUA) == (LUA, "first-use-hash")
    assert found(file("copy.t7")) == (LUA, "first-use-hash")
    assert found(file("other.t7", b"others")) == (None, None)
    path.unlink()  # the record stays
    assert found(file("copy.t7")) == (LUA, "first-use-hash")


def test_what_fetch_weights_gives_is_known(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mirror = tmp_path / "mirror" / LUA
    mirror.mkdir(parents=True)
    (mirror / file_name(LUA, get_spec(LUA).weights[0])).write_bytes(b"mirrored")
    sources = tuple(dataclasses.replace(source, file_size=None) for source in get_spec(LUA).weights)
    spec = dataclasses.replace(get_spec(LUA), weights=sources)
    monkeypatch.setattr(download, "get_spec", lambda _: spec)
    assert found(download.fetch_weights(LUA, [str(mirror.parent)])) == (LUA, "first-use-hash")


def test_two_names_for_the_same_bytes_are_none(cache: Path) -> None:
    path = fetched(cache, LUA, b"weights")
    fetched(cache, CAFFE, b"weights")
    assert found(path) == (None, None)
    assert found(path, LUA) == (LUA, "first-use-hash")


def test_a_record_of_a_file_whose_hash_is_published_says_nothing(file: Callable[..., Path], cache: Path) -> None:
    fetched(cache, DICE, b"weights")
    assert found(file("some.pth")) == (None, None)


def test_a_broken_record_says_nothing(cache: Path) -> None:
    path = fetched(cache, LUA, b"weights")
    path.with_name(f"{path.name}.json").write_text("[")
    assert found(path) == (None, None)


@pytest.mark.parametrize(("name", "ending"), [(LUA, ".t7"), (LUA, ".safetensors"), (TV, ".safetensors"), (TV, ".h5")])
def test_the_user_s_word(file: Callable[..., Path], name: str, ending: str) -> None:
    assert found(file(f"{name}{ending}"), name) == (name, "user")


def test_a_model_without_published_files_takes_the_user_s_word(file: Callable[..., Path]) -> None:
    assert found(file("a.ckpt"), "densenet121.mindvision_in1k") == ("densenet121.mindvision_in1k", "user")


@pytest.mark.parametrize(
    ("name", "ending", "expected"),
    [
        (DICE, ".pth.tar", "the sha256 deaefd08"),
        (DICE, ".safetensors", "the sha256 deaefd08"),
        (TV, ".pth", "a sha256 that begins with a639ec97 or a sha256 that begins with 07450f99"),
    ],
)
def test_a_word_against_a_published_hash_is_refused(
    file: Callable[..., Path], name: str, ending: str, expected: str
) -> None:
    with pytest.raises(CheckpointError, match=f"expected {expected}.*, found the sha256 [0-9a-f]{{64}}; fetch the fi"):
        found(file(f"{name}{ending}"), name)


def test_a_published_hash_of_another_model_is_stronger_than_the_word(tmp_path: Path) -> None:
    shipped = get_spec("densenet_bc_22_8.densezoo_digits")
    path = ROOT / str(shipped.weights[0].path)
    assert found(path) == found(path, shipped.name) == (shipped.name, "published-hash")
    with pytest.raises(
        CheckpointError, match=f"expected the weights of {LUA}, found those of {shipped.name}, as their"
    ):
        found(path, LUA)


def test_the_cache_s_record_for_another_model_is_stronger_than_the_word(file: Callable[..., Path], cache: Path) -> None:
    fetched(cache, LUA, b"weights")
    with pytest.raises(CheckpointError, match=f"the weights of {CAFFE}, found those of {LUA}, for which the cache got"):
        found(file("a.caffemodel"), CAFFE)


def test_a_file_is_known_by_a_hash_of_another_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "net.pth.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("net.pth", b"weights")
    member = FileHash(sha1=hashlib.sha1(b"weights").hexdigest()[:8], of="net.pth")
    source = WeightSource("torch", "pickle", url="https://example.org/net.pth.zip", hashes=(member,))
    spec = dataclasses.replace(get_spec(LUA), weights=(source,))
    monkeypatch.setattr(known, "load_index", lambda: {LUA: spec})
    monkeypatch.setattr(known, "get_spec", lambda _: spec)
    (tmp_path / "net.pth").write_bytes(b"weights")
    (tmp_path / "other.pth").write_bytes(b"others")
    for name in ("net.pth.zip", "net.pth"):
        assert found(tmp_path / name) == found(tmp_path / name, LUA) == (LUA, "published-hash")
    assert found(tmp_path / "other.pth") == (None, None)
    with pytest.raises(CheckpointError, match="expected a member net.pth with a sha1 that begins with"):
        found(tmp_path / "other.pth", LUA)


def test_a_word_that_is_no_name(file: Callable[..., Path]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean"):
        found(file("a.t7"), "densenet121.lua_in1")


def test_an_alias_is_a_word_too(file: Callable[..., Path]) -> None:
    assert found(file("a.safetensors"), "tv_densenet121") == (TV, "user")
    assert known._candidates(Path("a.pth"), get_spec(TV)) == [
        source for source in get_spec(TV).weights if source.format == "pickle"
    ]
    assert WeightSource("torch", "pickle", hash_prefix="0").is_hashed
