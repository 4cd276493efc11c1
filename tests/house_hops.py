"""Which modules one run enters, and how often it comes back to one that it had left.

python tests/house_hops.py tools/test.py CONFIG CHECKPOINT --workers 0     # any command line; of this process alone

A run is followed call by call (``sys.setprofile``). Each function counts once, when it is first called, so that a loop
is not counted a second time. A hop leads to another module than the call before; it is a return where that module was
entered before. Calls while a module is imported, and ``<listcomp>``s and the like, are not the run's.
"""

from __future__ import annotations

import runpy
import sys
from inspect import CO_OPTIMIZED
from pathlib import Path
from types import CodeType, FrameType


def follow(argv: list[str], package: Path) -> list[str]:
    """The modules in the order in which the run enters them, one entry a hop.

    Args:
        argv: the command line, a script of ``tools/`` first.
        package: the folder whose modules count.
    """
    seen: set[CodeType] = set()
    hops: list[str] = []

    def importing(frame: FrameType | None) -> bool:
        """Whether a module of the package is being imported around this call."""
        while frame is not None:
            if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(str(package)):
                return True
            frame = frame.f_back
        return False

    def called(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event != "call" or code in seen or not code.co_filename.startswith(str(package)) or importing(frame):
            return
        seen.add(code)
        if code.co_name.startswith("<") or not code.co_flags & CO_OPTIMIZED:  # a class's body, run by the import
            return
        module = Path(code.co_filename).relative_to(package).with_suffix("").as_posix()
        if not hops or hops[-1] != module:
            hops.append(module)

    sys.argv = argv
    sys.setprofile(called)
    try:
        runpy.run_path(argv[0], run_name="__main__")
    except SystemExit:
        pass
    finally:
        sys.setprofile(None)
    return hops


def main() -> None:
    """Follow the command line; print the modules with their hops, and the counts."""
    import densezoo

    hops = follow(sys.argv[1:], Path(densezoo.__file__).parent)
    entered: set[str] = set()
    for module in hops:
        print(("  back to " if module in entered else "") + module)
        entered.add(module)
    print(f"{len(entered)} modules, {len(hops) - len(entered)} returns")


if __name__ == "__main__":
    main()
