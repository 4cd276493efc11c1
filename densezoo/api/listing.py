"""The names of the index's models, which are asked for most often: no measurement is read, no field computed."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.index.load import load_index
from densezoo.index.search import matching


def list_models(patterns: str | Sequence[str] = "*", *, where: str | None = None, sort: str = "name") -> list[str]:
    """Names of the index: of the models that `densezoo.api.index.find_models` finds.

    Args:
        patterns: of names, such as "densenet*.tv_in1k".
        where: a condition on an entry's fields, such as "params < 30e6"; None: none.
        sort: the field to sort by; with "-" before it the largest comes first.

    Raises:
        QueryError, UnknownNameError: ``where`` or ``sort`` can't be read.
    """
    if where is None and sort == "name":  # no accuracy is asked for
        return sorted(spec.name for spec in matching(patterns, load_index().values())[0])
    from densezoo.api.index import find_models  # here, because half of the start's time would be its imports

    return [accuracy.spec.name for accuracy in find_models(patterns, where=where, sort=sort)]
