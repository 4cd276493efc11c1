"""Which images a CSV of labels has measured, and that its columns are the network's labels, in any order."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from small_labels import small_labels, write_table

from densezoo import api
from densezoo.api.label_images import find_table, given_rows, in_order, labelled_images, network_labels
from densezoo.data.layouts.label_table import LabelTable
from densezoo.data.split import FILE, Split, store_split
from densezoo.errors import ConfigError, DatasetError

TABLE = LabelTable(
    Path("l.csv"), ("b", "a"), {"train/1.png": (0,), "val/1.png": (0, 1), "val/2.png": (), "test/1.png": (1,)}
)


def files(root: Path, *names: str) -> LabelTable:
    """The rows of TABLE for these files, which are made."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return LabelTable(TABLE.path, TABLE.names, {name: TABLE.rows[name] for name in names})


def test_labels_count_in_the_network_s_order(tmp_path: Path) -> None:
    images = labelled_images(files(tmp_path, "val/1.png", "val/2.png", "test/1.png"), tmp_path, ("a", "b"))
    assert dict(zip(images.ids, images.label_sets or ())) == {
        "test/1.png": (0,),
        "val/1.png": (0, 1),
        "val/2.png": (),
    }
    assert images.labels == [0, 0, -1]


def test_of_a_table_to_train_with_those_to_measure_on(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    images = labelled_images(files(tmp_path, "train/1.png", "val/1.png", "val/2.png"), tmp_path, ("b", "a"))
    assert (list(images.ids), list(images.label_sets or ())) == (["val/1.png", "val/2.png"], [(0, 1), ()])
    assert "images: the 2 below val/ of 3" in caplog.messages
    with pytest.raises(DatasetError, match="below train/ and below val/, test/; give a CSV of those to measure"):
        labelled_images(files(tmp_path, *TABLE.rows), tmp_path, ("b", "a"))
    with pytest.raises(DatasetError, match="below train/ and below no val/"):
        labelled_images(files(tmp_path, "train/1.png"), tmp_path, ("b", "a"))


def test_the_columns_are_the_network_s_labels(caplog: pytest.LogCaptureFixture) -> None:
    for names in (["a", "b"], ["b", "a"]):
        assert network_labels(TABLE, names, 2) == tuple(names)
    with pytest.raises(ConfigError, match="l.csv: expected the network's labels, .*; without a column: 'c'; "):
        network_labels(TABLE, ["a", "c"], 2)
    with pytest.raises(ConfigError, match="any order; none of the network's: 'b'$"):
        network_labels(TABLE, ["a"], 1)
    with pytest.raises(ConfigError, match="a name for each of the network's 3 outputs, found 2 in its file: 'a', 'b'"):
        network_labels(TABLE, ["a", "b"], 3)
    assert not caplog.messages
    assert network_labels(TABLE, None, 2) == ("b", "a")
    assert caplog.messages[0].endswith("taken in the order of the CSV's columns: 'b', 'a'")
    with pytest.raises(ConfigError, match="expected 3 labels, as many as the network has outputs, found 2: 'b', 'a'"):
        network_labels(TABLE, None, 3)


def test_names_are_relative_to_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_table(tmp_path / "l.csv", ["file", "a"], [["1.png", "1"]])
    (tmp_path / "here").mkdir()
    write_table(tmp_path / "here" / "l.csv", ["file", "b"], [["1.png", "1"]])
    monkeypatch.chdir(tmp_path / "here")
    assert find_table(Path("l.csv"), tmp_path)[0].names == ("a",), "the table beside the images comes first"
    assert find_table(tmp_path / "l.csv", tmp_path)[1] == tmp_path
    for root in (None, tmp_path / "none", tmp_path / "l.csv"):
        with pytest.raises(DatasetError, match="names images relative to a folder, expected by --data-root"):
            find_table(tmp_path / "l.csv", root)


def test_images_that_were_trained_on_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    weights = small_labels(tmp_path)
    given: dict[str, Any] = {"data_root": tmp_path, "workers": 0, "device": "cpu", "limit": 20}
    said = f"were trained on, as {tmp_path / FILE} says, so the result says too much"
    api.evaluate_labels(None, weights, "labels.csv", **given)
    assert not any(said in message for message in caplog.messages)
    store_split(tmp_path / FILE, Split(0, 0.5, {"00.png": "", "01.png": ""}, {"02.png": ""}))
    api.evaluate_labels(None, weights, "labels.csv", **given)
    assert any(f"warning: 2 of 24 images {said}" in message for message in caplog.messages)


def test_weights_that_state_nothing_are_asked_of_the_config(tmp_path: Path) -> None:
    """As another program wrote them: columns in the order of the logits, and a dataset that is given."""
    weights = small_labels(tmp_path, multi_label=False, class_names=None, dataset="")
    (result,) = api.evaluate_labels(
        None, weights, tmp_path / "labels.csv", data_root=tmp_path, dataset="imagefolder", workers=0, device="cpu"
    )
    assert [label.name for label in result.labels] == ["never", "bright", "dark edge"]


def test_a_picture_is_found_in_the_csv_by_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However it is named; the names in the CSV are relative to its folder, or to the one that is given."""
    files(tmp_path / "real", "val/1.png", "val/2.png")
    write_table(tmp_path / "real/l.csv", ["file", "a"], [["val/1.png", "1"], ["val/2.png", "0"]])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    monkeypatch.chdir(tmp_path / "real/val")
    named = ["1.png", "./2.png", "../val/1.png", str(tmp_path / "link/val/2.png")]
    expected = ["val/1.png", "val/2.png", "val/1.png", "val/2.png"]
    for path, root in ((Path("../l.csv"), None), (tmp_path / "link/l.csv", None), (Path("l.csv"), tmp_path / "link")):
        table, rows = given_rows(path, root, named)
        assert rows == expected
        assert in_order(table, ("a",)) == {"val/1.png": (0,), "val/2.png": ()}
    with pytest.raises(DatasetError, match=r"^-: expected a line of this picture in .*l.csv.*; found none; leave"):
        given_rows(Path("../l.csv"), None, ["1.png", "-"])
    with pytest.raises(DatasetError, match="expected by --data-root; found .*/none$"):
        given_rows(Path("../l.csv"), tmp_path / "none", ["1.png"])
