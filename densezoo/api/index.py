"""Lists the models of the index. Imports no torch."""

from __future__ import annotations

from densezoo.index.load import load_index
from densezoo.index.select import select


def list_models(pattern: str = "*", *, where: str | None = None, sort: str = "name") -> list[str]:
    """The names of the models in the index that fit a query.

    Args:
        pattern: shell pattern that the name or an alias matches.
        where: expression such as ``top1 > 76 and params < 10e6`` (`densezoo.index.select`); None: all.
        sort: a field of `densezoo.index.select.FIELDS`; ``-top1`` sorts from high to low.

    Raises:
        QueryError: ``where`` is no such expression.
        UnknownNameError: a field that doesn't exist; names the nearest.
    """
    return [spec.name for spec in select(load_index().values(), pattern, where, sort)]
