"""A metafile of one's own, and what is refused in one: the model and the field are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import FILE, RESULT, URL, write_index

from densezoo.errors import MetafileError
from densezoo.index.load import load_index


def test_a_metafile_of_one_s_own(tmp_path: Path) -> None:
    assert load_index(write_index(tmp_path))["densenet121.mine"].num_params == 7978856


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"Protcol": "timm"}, "unknown key 'protcol'; did you mean 'protocol'?"),
        ({"Config": None}, "Config is missing, here and in every other metafile"),
        ({"Name": None}, "the key 'name' is missing"),
        ({"Name": "densenet121"}, "Name: expected arch.tag in lower case"),
        ({"Metadata": {"Parameters": 1, "FLOPs": {"timm": 1}}}, "Image Size is missing"),
        ({"Metadata": {"Parameters": 1, "Recipe": {"Epoch": 9}}}, "unknown key 'epoch'; did you mean 'epochs'?"),
        ({"Metadata": {"Parameters": 1, "Recipe": {"Epochs": "90"}}}, "epochs is '90'; expected a whole number"),
        ({"Code": "http://example.org"}, "code: is 'http://example.org'; expected a URL that begins with https://"),
        ({"Weight Files": [{"Framework": "torch", "Format": "pickle"}]}, "states neither URL nor Path"),
        ({"Weight Files": [FILE]}, "Weights is None; expected the first weight file's URL"),
        ({"Weights": URL, "Weight Files": [FILE, FILE]}, "Weight Files: has https://example.org/f.pth twice"),
        ({"Weights": URL, "Weight Files": [{**FILE, "Note": ""}]}, "weight_files.0.: note: is empty"),
        ({"Port Of": "densenet121.yours"}, "Port Of: there is no model 'densenet121.yours'"),
        ({"Port Of": "densenet121.mine"}, "Port Of: densenet121.mine is a port of itself"),
        ({"Aliases": ["densenet121.mine"]}, "Aliases: 'densenet121.mine' already stands for densenet121.mine"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {"Top 1 Accuracy": 175}}]}, "175.0; expected percent"),
        ({"Results": [{k: v for k, v in RESULT.items() if k != "Dataset"}]}, "the key 'dataset' is missing"),
        ({"Results": [{**RESULT, "Where": "w"}] * 2}, "Results: d / timm / p / w twice"),
        ({"Config": "configs/densenet12.py"}, "Config: .*there is no such config file"),
        ({"Protocol": "tim"}, "Protocol: there is no 'tim'; did you mean 'timm'?"),
        ({"In Collection": "yours"}, "In Collection: there is no 'yours' in this file"),
        ({"Metadata": {"Parameters": "8M", "FLOPs": {}}}, "metadata: parameters is '8M'; expected a whole number"),
        ({"Results": [RESULT]}, "results.0.: the key 'where' is missing"),
        ({"Results": [{**RESULT, "Where": "w", "Metrics": {"Top 1 Accuracy": "75%"}}]}, "top_1_accuracy is '75%'"),
    ],
)
def test_a_bad_entry_is_named(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    name = changes.get("Name", "densenet121.mine") or "without a Name"
    with pytest.raises(MetafileError, match=rf"mine.yml: model {name}: .*{message}".replace("?", r"\?")):
        load_index(write_index(tmp_path, **changes))
