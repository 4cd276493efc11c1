"""The documents as a site: built without a warning, complete, and nothing in it from another host."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from densezoo.paths import ROOT

DOCUMENTS = sorted(ROOT.glob("docs/**/*.md"))


def test_the_sites_navigation_has_every_document() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/]+\.md", text.partition("nav:\n  - Start")[2]))
    assert named >= {path.name for path in ROOT.glob("docs/*.md")}
    for name in named - {"overview.md", "contributing.md", "changelog.md"}:  # made of what lies beside docs/
        assert (ROOT / "docs" / name).exists()


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("material"), reason="the extra docs is not installed")
def test_it_is_built_without_a_warning_and_asks_no_other_host(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    for path in DOCUMENTS:
        page = tmp_path / path.relative_to(ROOT / "docs").with_suffix(".html")
        assert page.exists()
        fetched = re.findall(r'<(?:script|img|link)[^>]*(?:src|href)="?(https?://[^" >]+)', page.read_text("utf-8"))
        assert fetched == [], page.name
    for name in ("overview", "contributing", "changelog"):
        assert (tmp_path / f"{name}.html").exists()
    assert (tmp_path / "repository/configs/_base_/cifar10.py").exists()
