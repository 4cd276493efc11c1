"""The engine's library, built if it isn't there; and both instruction sets."""

from __future__ import annotations

import pytest
from filelock import FileLock

from densezoo.backends.native import build, library
from densezoo.errors import BackendError


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Build the library where it is missing or stale; skip these tests where there is no compiler."""
    try:
        library.load()
    except BackendError:
        try:
            with FileLock(build.LIBRARY.with_suffix(".lock")):
                build.build()
        except build.BuildError as error:
            pytest.skip(str(error))
        library.load.cache_clear()


@pytest.fixture(params=[256, 512])
def bits(request: pytest.FixtureRequest) -> int:
    """The width of the vectors."""
    try:
        library.engine(request.param)
    except BackendError as error:
        pytest.skip(str(error))
    width: int = request.param
    return width
