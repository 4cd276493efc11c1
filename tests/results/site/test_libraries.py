from __future__ import annotations

import hashlib
import json
from importlib.resources import files

from densezoo.results.site.libraries import FOLDER, LIBRARIES, static_files

SHIPPED = files("densezoo.results.site") / FOLDER


def test_each_library_is_the_file_that_was_published() -> None:
    for name, library in LIBRARIES.items():
        content = (SHIPPED / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == library.sha256, f"{name} is not {json.dumps(library.package)}'s"
        assert library.version.encode() in content[:200]


def test_every_file_beside_them_is_listed_and_has_its_licence() -> None:
    listed = {name for file, library in LIBRARIES.items() for name in (file, library.license_file)}
    assert {path.name for path in SHIPPED.iterdir()} == listed
    for library in LIBRARIES.values():
        assert "Permission to use, copy, modify" in (SHIPPED / library.license_file).read_text()


def test_the_site_gets_all_of_them() -> None:
    paths = static_files()
    assert {f"assets/vendor/{name}" for name in LIBRARIES} < set(paths)
    assert {"assets/site.css", "assets/site.js", "assets/plot.js", "assets/compare.js", "assets/why.js"} < set(paths)
