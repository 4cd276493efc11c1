"""The type of a JSON object: stages take it from the nouns, not from a reader of files."""

from __future__ import annotations

from test_layering import PACKAGE, imported, modules


def test_only_the_readers_of_files_take_what_parses_their_json() -> None:
    outside = [path for path in modules() if "formats" not in path.relative_to(PACKAGE).parts]
    takers = {path.name for path in outside if "densezoo.formats.containers.json" in imported(path)}
    assert takers == set(), "JsonObject is in densezoo.types"
