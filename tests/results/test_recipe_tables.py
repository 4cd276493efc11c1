from __future__ import annotations

from densezoo.config import load_config
from densezoo.paths import ROOT
from densezoo.results.recipe_tables import recipe_table, recipes


def row_of(name: str) -> str:
    (row,) = (line for line in recipe_table("docs").splitlines() if line.startswith(f"| [{name}]("))
    return row


def test_a_row_says_what_the_config_says() -> None:
    row = row_of("imagenet1k_randaugment")
    assert (
        "[imagenet1k_randaugment](../configs/_base_/imagenet1k_randaugment.py): ImageNet-1k by the ingredients" in row
    )
    assert "| 450 | 256 | 0.016, x 0.97 every 2.4 epochs | `resized_crop_flip` |" in row
    assert "`policy` rand-m9-mstd0.5" in row
    assert "`nesterov`" not in row  # its default
    assert "0.1, x 0.1 after 150 and 225" in row_of("cifar10plus")
    assert "0.1, cosine" in row_of("imagenet1k_cosine")
    assert "`nesterov` False" in row_of("imagenet1k_torchvision")


def test_every_shipped_recipe_has_one_row() -> None:
    """A config's own, or its base's; where a config changes its base's, the row is the base's."""
    rows = [recipe for _, recipe in recipes().values()]
    changed = []
    for path in (ROOT / "configs").rglob("[!_]*.py"):
        if path.parent.name != "_base_" and (recipe := load_config(path).train) and recipe not in rows:
            changed.append(path.name)
    assert changed == ["densenet264_k48.py"]
    assert len(recipes()) == recipe_table("docs").count("\n") - 2
