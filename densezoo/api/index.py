"""What the index lists. Imports no torch."""

from __future__ import annotations

from densezoo.index.load import load_index
from densezoo.index.select import select


def list_models(pattern: str = "*", *, where: str | None = None, sort: str = "name") -> list[str]:
    """Names of the index.

    Args:
        pattern: shell pattern that the name or an alias matches.
        where: such as ``top1 > 76 and params < 10e6`` (`densezoo.index.select`).
        sort: a field of `densezoo.index.select.FIELDS`, ``-top1`` from high to low.

    Raises:
        QueryError: ``where`` can't be read.
        UnknownNameError: a field that doesn't exist; names the nearest.
    """
    return [spec.name for spec in select(load_index().values(), pattern, where, sort)]
