"""What a file is before a reader opens it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from densezoo.formats.identity import file_sha256


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (1 << 21) + b"y")
    assert file_sha256(tmp_path / "f") == hashlib.sha256(b"x" * (1 << 21) + b"y").hexdigest()
