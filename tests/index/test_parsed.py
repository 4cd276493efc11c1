"""Kept values are those of the files as they are now; whatever else lies in the cache is parsed again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples import write_index

from densezoo import yaml_files
from densezoo.errors import MetafileError
from densezoo.index import parsed
from densezoo.index.load import load_index
from densezoo.index.parsed import ParsedFiles
from densezoo.paths import INDEX, ROOT

EDITED = b"[75.00, 1.0e-4, 7, a, null, true, {b: [93.480], 'c d': .5}]\n"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def parses(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that are parsed, as they are."""
    paths: list[Path] = []
    parse = yaml_files.parse_yaml

    def counted(content: bytes, path: Path) -> object:
        paths.append(path)
        return parse(content, path)

    monkeypatch.setattr(yaml_files, "parse_yaml", counted)
    return paths


def spelt(value: object) -> object:
    """A value with the class of each part, by which 75.00, 75.0 and "75.0" differ."""
    if isinstance(value, dict):
        return {key: spelt(item) for key, item in value.items()}
    if isinstance(value, list):
        return [spelt(item) for item in value]
    return type(value).__name__, str(value)


def read(path: Path) -> object:
    """The value of a file by itself, and kept."""
    files = ParsedFiles(path)
    value = files.read(path)
    files.keep()
    return value


def kept_file(home: Path) -> Path:
    (path,) = (home / "index").iterdir()
    return path


def test_the_whole_index_comes_back_as_it_was_parsed(home: Path, parses: list[Path]) -> None:
    paths = sorted((ROOT / "metafiles").glob("*.yml"))
    first = ParsedFiles(INDEX)
    values = [first.read(path) for path in paths]
    first.keep()
    assert parses == paths
    second = ParsedFiles(INDEX)
    again = [second.read(path) for path in paths]
    assert parses == paths  # none twice
    assert spelt(again) == spelt(values)


def test_an_edit_shows_at_once(home: Path, tmp_path: Path, parses: list[Path]) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(b"x: 75.00\n")
    read(path)
    state = path.stat()
    path.write_bytes(b"x: 75.10\n")  # as long as before, at the same time
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert spelt(read(path)) == {"x": ("Figure", "75.10")}
    assert spelt(read(path)) == {"x": ("Figure", "75.10")}
    assert len(parses) == 2
    path.write_bytes(b"x: [")
    with pytest.raises(MetafileError, match="not YAML"):
        read(path)
    assert len(json.loads(kept_file(home).read_bytes().partition(b"\n")[2])) == 1  # of the last right content alone


def test_what_is_not_what_was_kept_is_parsed_again(home: Path, tmp_path: Path, parses: list[Path]) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(EDITED)
    expected = spelt(read(path))
    kept = kept_file(home).read_bytes()
    body = kept.partition(b"\n")[2]
    wrong = [b"", b"{}", body, kept[:-1], kept.replace(b"75.00", b"75.01"), kept.replace(b"a", b"b", 1), b"\n" + kept]
    for content in wrong:
        assert content != kept
        kept_file(home).write_bytes(content)
        assert spelt(read(path)) == expected
        assert kept_file(home).read_bytes() == kept  # mended
    assert len(parses) == 1 + len(wrong)


def test_what_an_older_densezoo_kept_is_parsed_again(
    home: Path, tmp_path: Path, parses: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(EDITED)
    with monkeypatch.context() as older:
        older.setattr(parsed, "FORMAT", b"older\n")
        read(path)
    read(path)
    assert len(parses) == 2


@pytest.mark.parametrize("content", [b"2024-01-09\n", b"{1: a}\n", b'{"\\0figure": "75.0"}\n', b"!!binary aGk=\n"])
def test_what_json_can_t_hold_is_parsed_each_time(
    home: Path, tmp_path: Path, parses: list[Path], content: bytes
) -> None:
    path = tmp_path / "a.yml"
    path.write_bytes(content)
    assert spelt(read(path)) == spelt(read(path))
    assert len(parses) == 2


def test_a_home_that_can_t_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    path = tmp_path / "a.yml"
    path.write_bytes(EDITED)
    for home in ("/proc/nowhere", str(tmp_path / "file")):
        monkeypatch.setenv("DENSEZOO_HOME", home)
        assert spelt(read(path)) == spelt(yaml_files.parse_yaml(EDITED, path))
    monkeypatch.delenv("DENSEZOO_HOME")
    monkeypatch.setattr(Path, "expanduser", lambda _: (_ for _ in ()).throw(RuntimeError("no home")))
    assert spelt(read(path)) == spelt(yaml_files.parse_yaml(EDITED, path))


def test_a_wrong_index_is_refused_from_kept_values_too(home: Path, tmp_path: Path) -> None:
    path = write_index(tmp_path, Protocol="torchvison")
    files = ParsedFiles(path)
    for each in (path, tmp_path / "mine.yml"):
        files.read(each)
    files.keep()
    with pytest.raises(MetafileError, match="there is no 'torchvison'; did you mean 'torchvision'"):
        load_index(path)


def test_processes_at_once_all_have_the_whole_index(home: Path) -> None:
    program = "import sys, densezoo; names = densezoo.list_models(); print(len(names), 'yaml' in sys.modules)"
    command = [sys.executable, "-c", program]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    counts = {process.communicate()[0].split()[0] for process in both}
    assert counts == {str(len(load_index()))}
    assert [path.suffix for path in (home / "index").iterdir()] == [".json"]  # nothing half-written
    second = subprocess.run(command, capture_output=True, text=True, check=True)
    assert second.stdout.split() == [*counts, "False"]
