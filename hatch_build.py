"""hatchling's hook: compiles the native engine into wheels and editable installs, where there is a compiler."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

NATIVE = "densezoo/backends/native"


class NativeEngineHook(BuildHookInterface[Any]):
    """Adds the shared library to a wheel, which then is one of this platform; without a compiler the wheel is pure."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the library, or warn and go on without it.

        Args:
            version: "standard" or "editable".
            build_data: of the wheel; its tag and its files are set here.
        """
        build = runpy.run_path(str(Path(self.root) / NATIVE / "build.py"))
        library: Path = build["LIBRARY"]
        try:
            build["build"]()
        except build["BuildError"] as error:
            self.app.display_warning(f"densezoo is built without its native engine (other backends work): {error}")
            return
        build_data["tag"] = f"py3-none-{build['PLATFORM']}"  # no Python headers: one library for every Python
        build_data["pure_python"] = False
        build_data["artifacts"].append(f"{NATIVE}/{library.name}")
