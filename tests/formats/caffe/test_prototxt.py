"""Network descriptions in protocol buffers' text format."""

from __future__ import annotations

import re
from pathlib import Path
from string import ascii_lowercase, ascii_uppercase

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import densezoo
from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.caffe.prototxt import MAX_BYTES, MAX_NESTING, MAX_WORDS, Fields, read_prototxt

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "formats"


@pytest.mark.parametrize("text", ["layer {", "layer } }", 'layer { name: "a\n" }', "\x00", "layer { type: 3 bottom: }"])
def test_a_broken_prototxt_is_an_error(tmp_path: Path, text: str) -> None:
    (tmp_path / "small.prototxt").write_text(text)
    (tmp_path / "small.caffemodel").write_bytes((FOLDER / "caffe/small.caffemodel").read_bytes())
    with pytest.raises((FormatError, CheckpointError)):
        densezoo.load_checkpoint(tmp_path / "small.caffemodel")


def fields(tmp_path: Path, text: str) -> Fields:
    (tmp_path / "net.prototxt").write_text(text)
    return read_prototxt(tmp_path / "net.prototxt")


def test_every_kind_of_value(tmp_path: Path) -> None:
    text = """name: "net" # a comment { with a bracket
    layer { bottom: 'a' bottom: "b" axis: -1 eps: 1e-5 ratio: .5 big: 12345678901234567890 flag: true pool: AVE }
    layer: < inner { side: [7]; } >"""
    layer = {"bottom": ["a", "b"], "axis": [-1], "eps": [1e-5], "ratio": [0.5], "big": [12345678901234567890]}
    assert fields(tmp_path, text) == {
        "name": ["net"],
        "layer": [{**layer, "flag": [True], "pool": ["AVE"]}, {"inner": [{"side": [7]}]}],
    }


names = st.builds("".join, st.tuples(st.sampled_from(ascii_lowercase), st.text(f"{ascii_lowercase}_09", max_size=8)))
trees = st.recursive(
    st.integers(-(10**9), 10**9) | st.booleans() | st.text(f"{ascii_uppercase}_", min_size=1, max_size=8),
    lambda inner: st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def written(tree: object) -> str:
    if not isinstance(tree, dict):
        return f": {str(tree).lower() if isinstance(tree, bool) else tree} "
    return "{" + "".join(f"{name} {written(value)}" for name, value in tree.items()) + "}\n"


def listed(tree: object) -> object:
    """What the reader gives: each field a list of its values."""
    return {name: [listed(value)] for name, value in tree.items()} if isinstance(tree, dict) else tree


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(st.dictionaries(names, trees, max_size=4))
def test_what_is_written_is_read(tmp_path: Path, tree: dict[str, object]) -> None:
    assert fields(tmp_path, "".join(f"{name} {written(value)}" for name, value in tree.items())) == listed(tree)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb {\nc {", "ends within 2 open brackets; the file is truncated"),
        ("a: 1\n}", "line 2: a closing bracket too many"),
        ('a: "no end', "line 1: expected a name or a value; found '\"no end'"),
        ("a\n\n%", "line 3: expected a name or a value; found '%'"),
        ("a {" * (MAX_NESTING + 1), f"messages nested {MAX_NESTING} deep; expected fewer levels"),
        ("a " * (MAX_WORDS + 2), f"more than {MAX_WORDS:,} words"),
        ("#" * (MAX_BYTES + 1), f"{MAX_BYTES + 1:,} bytes; expected at most {MAX_BYTES:,} in a network description"),
    ],
    ids=["cut off", "closed twice", "text", "sign", "deep", "words", "bytes"],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=re.escape(message)):
        fields(tmp_path, text)
