"""zip archives."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint


def test_a_zip_of_another_method_is_not_called_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("w.npy", b"\x93NUMPY" + b"0" * 100)
    with pytest.raises(FormatError, match=r"w.npy is compressed by method 12 of zip; expected") as caught:
        read_checkpoint(tmp_path / "m.npz")
    assert "anew" not in str(caught.value)
