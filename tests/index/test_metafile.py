"""A metafile of one's own, and what is refused in one: the model and the field are named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples import FILE, RESULT, URL, write_index

from densezoo.errors import MetafileError
from densezoo.index import load
from densezoo.index.load import load_index
from densezoo.types import FileHash

UNKNOWN_PROTOCOL = {**{key: value for key, value in RESULT.items() if key != "Protocol"}, "Where": "w"}


def test_a_metafile_of_one_s_own(tmp_path: Path) -> None:
    assert load_index(write_index(tmp_path))["densenet121.mine"].num_params == 7978856


def test_what_nobody_knows_is_left_out_and_why(tmp_path: Path) -> None:
    result = {**UNKNOWN_PROTOCOL, "Metrics": {"Top 5 Accuracy": 93.0}, "Not Evaluable": "no protocol is stated"}
    path = write_index(tmp_path, **{"Protocol": None, "Not Evaluable": "the same", "Results": [result]})
    spec = load_index(path)["densenet121.mine"]
    assert (spec.protocol, spec.not_evaluable) == ("torchvision", "the same")  # the config's protocol
    (reported,) = spec.reported
    assert (reported.protocol, reported.top1, reported.not_evaluable) == (None, None, "no protocol is stated")
    assert spec.headline is reported


def test_digits_are_kept_as_they_are_written(tmp_path: Path) -> None:
    path = write_index(tmp_path, Results=[{**RESULT, "Where": "w"}])
    for digits in ("75.0", "93.480", "100", "68.54166666666667"):
        text = (tmp_path / "mine.yml").read_text()
        (tmp_path / "mine.yml").write_text(re.sub("(Top 1 Accuracy:) .*", rf"\1 {digits}", text))
        load._load_index.cache_clear()
        (reported,) = load_index(path)["densenet121.mine"].reported
        assert (str(reported.top1), reported.top1) == (digits, float(digits))


def test_a_fine_tuned_network_has_the_classes_of_its_own_data(tmp_path: Path) -> None:
    metadata = {"Parameters": 6964106, "Classes": 10}
    assert load_index(write_index(tmp_path, Metadata=metadata))["densenet121.mine"].architecture.num_classes == 10


def test_what_is_known_of_a_file(tmp_path: Path) -> None:
    url = "http://example.org/f.pth.zip"
    hashes = [{"MD5": "0123456789abcdef"}, {"SHA1": "cf90d139", "Of": "f.pth"}]
    file = {**FILE, "URL": url, "Hashes": hashes, "Withdrawn": "2024-01-09", "Not Loadable": "it is a graph"}
    spec = load_index(write_index(tmp_path, **{"Weights": url, "Weight Files": [file]}))["densenet121.mine"]
    (source,) = spec.weights
    assert source.stated_hashes == (FileHash(md5="0123456789abcdef"), FileHash(sha1="cf90d139", of="f.pth"))
    assert [*map(str, source.hashes)] == [
        "a md5 that begins with 0123456789abcdef",
        "a member f.pth with a sha1 that begins with cf90d139",
    ]
    assert (source.withdrawn, source.not_loadable, source.is_hashed) == ("2024-01-09", "it is a graph", True)
    assert not source.is_file("0123456789abcdef" * 4)  # that is no sha256


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Protcol": "timm"}, "unknown key 'protcol'; did you mean 'protocol'?"),
        ({"Config": None}, "Config is missing, here and in every other metafile"),
        ({"Name": None}, "the key 'name' is missing"),
        ({"Name": "densenet121"}, "Name: expected arch.tag in lower case"),
        ({"Metadata": {"Parameters": 1, "Other FLOPs": {"timm": 1}}}, "Image Size is missing"),
        ({"Metadata": {"Parameters": 1, "Epoch": 9}}, "unknown key 'epoch'; did you mean 'epochs'?"),
        ({"Metadata": {"Parameters": 1, "Epochs": "90"}}, "epochs is '90'; expected a whole number"),
        (
            {"Code": {"URL": "http://example.org"}},
            "code: url: is 'http://example.org'; expected a URL that begins with https://",
        ),
        ({"README": "../docs/models/densenet169.md"}, "README is .*; expected '../docs/models/densenet121.md'"),
        ({"Metadata": {"Parameters": 1, "Crop Pct": 0.9}}, "Metadata: Crop Pct is 0.9; expected 0.875"),
        (
            {"Metadata": {"Parameters": 1, "Interpolation": "bicubic"}},
            "Interpolation is 'bicubic'; expected 'bilinear'",
        ),
        ({"Weight Files": [{"Framework": "torch", "Format": "pickle"}]}, "states neither URL nor Path"),
        ({"Weight Files": [FILE]}, "Weights is None; expected the first weight file's URL"),
        ({"Weights": URL, "Weight Files": [FILE, FILE]}, "Weight Files: has https://example.org/f.pth twice"),
        ({"Weights": URL, "Weight Files": [{**FILE, "Note": ""}]}, "weight_files.0.: note: is empty"),
        ({"Port Of": "densenet121.yours"}, "Port Of: there is no model 'densenet121.yours'"),
        ({"Port Of": "densenet121.mine"}, "Port Of: densenet121.mine is a port of itself"),
        ({"Aliases": ["densenet121.mine"]}, "Aliases: 'densenet121.mine' already stands for densenet121.mine"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {"Top 1 Accuracy": 175}}]}, "175; expected percent"),
        ({"Results": [{k: v for k, v in RESULT.items() if k != "Dataset"}]}, "the key 'dataset' is missing"),
        ({"Results": [{**RESULT, "Where": "w"}] * 2}, "Results: d / timm / p / w twice"),
        ({"Config": "configs/densenet12.py"}, "Config: .*there is no such config file"),
        ({"Protocol": "tim"}, "Protocol: there is no 'tim'; did you mean 'timm'?"),
        ({"In Collection": "yours"}, "In Collection: there is no 'yours' in this file"),
        ({"Metadata": {"Parameters": "8M"}}, "metadata: parameters is '8M'; expected a whole number"),
        ({"Results": [RESULT]}, "results.0.: the key 'where' is missing"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {"Top 1 Accuracy": "75%"}}]}, "top_1_accuracy is '75%'"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {}}]}, "states neither Top 1 Accuracy nor Top 5 Accuracy"),
        ({"Results": [UNKNOWN_PROTOCOL]}, "results.0.: states neither Protocol nor why it is Not Evaluable"),
        ({"Protocol": None}, "Protocol is missing, here and in every other metafile"),
        (
            {"Weights": "ftp://e.org/f", "Weight Files": [{**FILE, "URL": "ftp://e.org/f"}]},
            "begins with https:// or ht",
        ),
        ({"Weights": URL, "Weight Files": [{**FILE, "Hashes": [{}]}]}, "expected one of md5, sha1, sha256, found none"),
        ({"Weights": URL, "Weight Files": [{**FILE, "Hashes": [{"MD5": "a" * 33}]}]}, "expected up to 32 hex digits"),
        ({"Weights": URL, "Weight Files": [{**FILE, "Hashes": [{"SHA1": "xyz"}]}]}, "sha1 is 'xyz'; expected up to 40"),
        (
            {"Weights": URL, "Weight Files": [{**FILE, "Hashes": [{"SHA": "ab"}]}]},
            "unknown key 'sha'; did you mean 'sha1'",
        ),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    name = changes.get("Name", "densenet121.mine") or "without a Name"
    with pytest.raises(MetafileError, match=rf"mine.yml: model {name}: .*{message}".replace("?", r"\?")):
        load_index(write_index(tmp_path, **changes))
