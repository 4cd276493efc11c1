"""The JavaScript that the site ships beside its own: unchanged files of npm's packages, each with its licence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files

FOLDER = "static/vendor"


@dataclass(frozen=True)
class Library:
    """A file of an npm package, as it was published.

    Args:
        package: its name.
        version: its release.
        path: of the file in the package.
        sha256: of the file.
        license: SPDX name.
        license_file: that stands beside it.
    """

    package: str
    version: str
    path: str
    sha256: str
    license: str
    license_file: str


#: {file in FOLDER: where it comes from}, in the order in which a page loads them.
LIBRARIES: Mapping[str, Library] = {
    "d3.min.js": Library(
        "d3",
        "7.9.0",
        "dist/d3.min.js",
        "f2094bbf6141b359722c4fe454eb6c4b0f0e42cc10cc7af921fc158fceb86539",
        "ISC",
        "d3.LICENSE",
    ),
    "plot.umd.min.js": Library(
        "@observablehq/plot",
        "0.6.17",
        "dist/plot.umd.min.js",
        "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
        "ISC",
        "plot.LICENSE",
    ),
}


def static_files() -> dict[str, bytes]:
    """{path in the site: content} of the site's own scripts and styles, the libraries and their licences."""
    folder = files("densezoo.results.site") / "static"
    own = {f"assets/{path.name}": path.read_bytes() for path in folder.iterdir() if path.is_file()}
    vendor = folder / "vendor"
    names = [name for file, library in LIBRARIES.items() for name in (file, library.license_file)]
    return own | {f"assets/vendor/{name}": (vendor / name).read_bytes() for name in names}
