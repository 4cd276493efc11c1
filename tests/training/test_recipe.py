"""A name that is in no table is refused before torch is imported; every shipped config's names are in them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from densezoo.config import load_config
from densezoo.errors import UnknownNameError
from densezoo.paths import ROOT
from densezoo.training.recipe import check_recipe
from densezoo.types import Recipe


@pytest.mark.parametrize("field", ["augmentation", "optimiser", "schedule"])
def test_an_unknown_name(field: str) -> None:
    with pytest.raises(UnknownNameError, match=f"there is no {field} 'nowhere'; known: "):
        check_recipe(Recipe(epochs=1, batch_size=1, **{field: "nowhere"}))  # type: ignore[arg-type]


def test_the_shipped_configs() -> None:
    recipes = [recipe for path in (ROOT / "configs").glob("**/[!_]*.py") if (recipe := load_config(path).train)]
    assert len(recipes) > 10
    for recipe in recipes:
        check_recipe(recipe)


def test_the_tables_import_no_torch() -> None:
    program = "import sys, densezoo.training.recipe; print([name for name in ('torch', 'PIL') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
