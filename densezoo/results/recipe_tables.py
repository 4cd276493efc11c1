"""The table of the recipes that configs train by."""

from __future__ import annotations

import ast
import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from densezoo.config import load_config
from densezoo.paths import ROOT
from densezoo.results.markdown import markdown
from densezoo.types import Recipe

_BASE = re.compile(r'^_base_ = "(.+)"$', re.MULTILINE)
#: Fields with a column of their own, or that the rate's column says.
_SHOWN = ("epochs", "batch_size", "lr", "schedule", "milestones", "decay_epochs", "gamma", "augmentation")


def recipe_table(folder: str) -> str:
    """One row a recipe: whose it is, and every field that isn't its default.

    Args:
        folder: of the document, relative to the repository: links start there.
    """
    return markdown(
        [
            {
                "recipe": f"[{path.stem}]({os.path.relpath(path, ROOT / folder)}): {title}",
                "epochs": str(recipe.epochs),
                "images a step": str(recipe.batch_size),
                "learning rate": _rate(recipe),
                "augmentation": f"`{recipe.augmentation}`",
                "further": _further(recipe),
            }
            for path, (title, recipe) in recipes().items()
        ]
    )


def recipes() -> Mapping[Path, tuple[str, Recipe]]:
    """{config file that states a recipe, shared or of one network: (first sentence of its docstring, the recipe)}."""
    recipe_of: dict[Path, tuple[str, Recipe]] = {}
    for path in sorted((ROOT / "configs").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        base = _BASE.search(text)
        stated_in = Path(os.path.normpath(path.parent / base[1])) if base else path
        if path.parent.name == "_base_" or stated_in in recipe_of or (base and "\ntrain = " in text):
            continue
        recipe = load_config(path).train
        if recipe is not None:
            title = ast.get_docstring(ast.parse(stated_in.read_text(encoding="utf-8"))) or ""
            recipe_of[stated_in] = (title.split("\n")[0].rstrip("."), recipe)
    return dict(sorted(recipe_of.items(), key=lambda item: item[0].stem))


def _rate(recipe: Recipe) -> str:
    """The learning rate and its schedule in words."""
    factor = f"x {recipe.gamma:g}"
    falls = {
        "steps": f"{factor} after {' and '.join(map(str, recipe.milestones))}",
        "staircase": f"{factor} every {recipe.decay_epochs} epochs",
    }
    schedule = recipe.schedule or ("steps" if recipe.milestones else "cosine")
    return f"{recipe.lr:g}, {falls.get(schedule, schedule)}"


def _further(recipe: Recipe) -> str:
    """Every other field whose value is not its default."""
    return ", ".join(f"`{name}` {value}" for name, value in _changed(recipe) if name not in _SHOWN)


def _changed(part: Any) -> Iterator[tuple[str, object]]:
    """(field, value) of a dataclass where it isn't the default; of a part of it (start.weights) as well."""
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if dataclasses.is_dataclass(value):
            yield from ((f"{field.name}.{name}", inner) for name, inner in _changed(value))
        elif value not in (field.default, {}):
            yield field.name, " ".join(value) if isinstance(value, tuple) and field.name == "freeze" else value
