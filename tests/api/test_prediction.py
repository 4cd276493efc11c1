from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from digit_pictures import MODEL, digit_pictures

import densezoo
from densezoo.errors import DatasetError, ImageError


def test_predictions_come_one_by_one(tmp_path: Path) -> None:
    digits = digit_pictures(tmp_path, 3)
    found = densezoo.predict(MODEL, [tmp_path / "2.png", tmp_path], topk=1, workers=0, device="cpu")
    first = next(found)
    assert (first.image, first.label, len(first.answers)) == (str(tmp_path / "2.png"), digits[2], 1)
    assert [each.label for each in found] == digits[:2]
    for one in (tmp_path / "1.png", str(tmp_path / "1.png")):
        assert [each.label for each in densezoo.predict(MODEL, one, workers=0, device="cpu")] == digits[1:2]


def test_an_unreadable_image(tmp_path: Path) -> None:
    digit_pictures(tmp_path, 2)
    (tmp_path / "0.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"0\.png"):
        list(densezoo.predict(MODEL, [tmp_path], workers=0))
    skipped = list(densezoo.predict(MODEL, [tmp_path], workers=0, skip_unreadable=True))
    assert [each.error is None for each in skipped] == [False, True]


def test_a_missing_image_is_refused_before_torch_is_imported() -> None:
    program = f"""
import sys, densezoo
try:
    list(densezoo.predict({MODEL!r}, ["missing.png"]))
except densezoo.errors.DatasetError as error:
    print(error, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "missing.png: there is no such image, folder or tar False\n"
    with pytest.raises(DatasetError):
        next(densezoo.predict(MODEL, ["missing.png"]))
