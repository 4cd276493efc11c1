from __future__ import annotations

from pathlib import Path

import pytest

from densezoo.data.layouts.label_table import read_label_table, table_images
from densezoo.errors import DatasetError

TABLE = 'file,cat,dog\nb/2.png,0,1\na.jpg,1, 1\n\n"c,c.png",0,0\n'


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


@pytest.mark.parametrize("text", [TABLE, "\ufeff" + TABLE, TABLE.replace("\n", "\r\n")])
def test_a_table(tmp_path: Path, text: str) -> None:
    table = read_label_table(written(tmp_path, text))
    assert table.names == ("cat", "dog")
    assert table.rows == {"b/2.png": (1,), "a.jpg": (0, 1), "c,c.png": ()}


def test_its_images(tmp_path: Path) -> None:
    table = read_label_table(written(tmp_path, TABLE))
    (tmp_path / "b").mkdir()
    for name in table.rows:
        (tmp_path / name).write_bytes(name.encode())
    images = table_images(tmp_path, table)
    assert images.ids == ["a.jpg", "b/2.png", "c,c.png"]
    assert images.label_sets == [(0, 1), (1,), ()]
    assert images.labels == [0, 1, -1]
    assert images.read(1) == b"b/2.png"
    (tmp_path / "a.jpg").unlink()
    (tmp_path / "c,c.png").unlink()
    with pytest.raises(DatasetError, match=r"labels.csv: a.jpg is not in .*, nor are 1 others"):
        table_images(tmp_path, table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1: expected a header 'file,LABEL,...', found ''"),
        ("file\na.jpg\n", "line 1: expected a header 'file,LABEL,...', found 'file'"),
        ("a.jpg,0,1\n", "line 1: .* found a line of an image; add the header"),
        ("file,cat,cat\n", "line 1: .* found 'cat' twice"),
        ("file,cat,\n", "line 1: .* found a label without a name"),
        ("file,cat\n", "no line after its header"),
        ("file,cat\na.jpg,0\nb.jpg,2\n", "line 3: 'cat' is '2'; expected 0 or 1"),
        ("file,cat\na.jpg,\n", "line 2: 'cat' is ''; expected 0 or 1 .leave out"),
        ("file,cat\na.jpg,0,1\n", "line 2: expected 2 cells, as the header has, found 3"),
        ("file,cat\n\n\na.jpg,0\na.jpg,1\n", "line 5: a.jpg a second time"),
        ("file,cat\na.jpg,0\n./a.jpg,1\n", "line 3: a.jpg a second time"),
        ("file,cat\n../a.jpg,0\n", "line 2: '../a.jpg' is no file below the folder"),
        ("file,cat\n/etc/a.jpg,0\n", "line 2: '/etc/a.jpg' is no file below the folder"),
        ("file,cat\na.txt,0\n", "line 2: 'a.txt' is no image; expected .jpg"),
        ('file,cat\n"a.jpg,0\n', "line 2: no CSV"),
        (b"file,cat\n\xff.jpg,0\n", "no UTF-8 at byte 9"),
    ],
)
def test_a_line_that_is_something_else(tmp_path: Path, text: str | bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read_label_table(written(tmp_path, text))


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="can't be read"):
        read_label_table(tmp_path / "none.csv")
