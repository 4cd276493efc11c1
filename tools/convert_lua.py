#!/usr/bin/env python
"""Convert a Torch7 file (.t7) of the authors' Lua code; the same as tools/convert.py, which takes it too.

python tools/convert_lua.py densenet121.t7 densenet121.safetensors
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from pathlib import Path


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns its exit status."""
    status: int = runpy.run_path(str(Path(__file__).with_name("convert.py")))["main"](argv)
    return status


if __name__ == "__main__":
    sys.exit(main())
