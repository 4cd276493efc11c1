"""The public names: each is there, is imported when it is first used, and type checkers see the same ones."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import densezoo
from densezoo import api


@pytest.mark.parametrize("name", api.__all__)
def test_every_public_name_is_there(name: str) -> None:
    function = getattr(densezoo, name)
    assert callable(function)
    assert function is getattr(api, name)
    assert function.__doc__
    assert name in dir(densezoo)


def test_a_name_that_is_none() -> None:
    for module in (densezoo, api):
        with pytest.raises(AttributeError, match=f"module '{module.__name__}' has no attribute 'create_modell'"):
            module.create_modell  # noqa: B018


def test_type_checkers_see_what_python_sees() -> None:
    tree = ast.parse(Path(api.__file__).read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == api._MODULES
    assert sorted(seen) == api.__all__


def test_importing_and_listing_take_little(tmp_path: Path) -> None:
    """0.15 s of CPU with Python's own start on the machine that results/ names; three times that is a busy one's."""
    program = "import densezoo, time; densezoo.list_models(); print(time.process_time())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 0.45
