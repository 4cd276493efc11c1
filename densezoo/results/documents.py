"""Tables in documents: what stands between ``<!-- table: NAME -->`` and ``<!-- end of table -->`` is generated."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from densezoo.errors import ResultError, suggestion
from densezoo.results import by_protocol, protocol_tables, tables
from densezoo.results.recipe_tables import recipe_table
from densezoo.results.speed_pages import SPEED_TABLES
from densezoo.types import EvalResult, ModelSpec

Specs: TypeAlias = Mapping[str, ModelSpec]
Results: TypeAlias = Sequence[EvalResult]
_BEGIN = re.compile(r"^<!-- table: ", re.MULTILINE)
_MARKER = re.compile(r"^(<!-- table: (.+?) -->\n).*?^(<!-- end of table -->)$", re.DOTALL | re.MULTILINE)

#: {NAME of a marker: (index, stored results, folder of the document) -> its table}.
TABLES: Mapping[str, Callable[[Specs, Results, str], str]] = {
    "by-protocol": lambda specs, results, folder: by_protocol.published_by_protocol("imagenet1k", specs, "lua_in1k"),
    "counts": lambda specs, results, folder: tables.counts(specs.values(), results),
    "best": lambda specs, results, folder: tables.best_table("imagenet1k", specs.values(), folder),
    "measured": lambda specs, results, folder: tables.measured_table(specs.values(), results, folder=folder, number=5),
    "backends": lambda specs, results, folder: tables.backends_table(),
    "key-tables": lambda specs, results, folder: tables.key_tables(),
    "protocols": lambda specs, results, folder: protocol_tables.steps_table(resizing=True),
    "protocols/small": lambda specs, results, folder: protocol_tables.steps_table(resizing=False),
    "protocols/sources": lambda specs, results, folder: protocol_tables.sources_list(),
    "protocols/evidence": lambda specs, results, folder: protocol_tables.evidence_list(),
    "protocols/published": lambda specs, results, folder: protocol_tables.published_pairs_table(specs),
    "protocols/measured": lambda specs, results, folder: protocol_tables.measured_pairs_table(specs.values(), results),
    "training/recipes": lambda specs, results, folder: recipe_table(folder),
    **{name: lambda *_, table=table: table() for name, table in SPEED_TABLES.items()},
}


def fill_tables(text: str, path: str, specs: Specs, results: Results) -> str:
    """A document with every table between markers made anew.

    Args:
        text: the document.
        path: of the document, relative to the repository: links start in its folder, messages name it.

    Raises:
        ResultError: a marker without its end, or with a name that isn't one of TABLES.
    """
    if len(_MARKER.findall(text)) != len(_BEGIN.findall(text)):
        raise ResultError(f"{path}: a '<!-- table: ... -->' without its '<!-- end of table -->'")

    def table(name: str) -> str:
        if name not in TABLES:
            raise ResultError(f"{path}: there is no table {name!r}{suggestion(name, TABLES)}")
        return TABLES[name](specs, results, path.rpartition("/")[0])

    return _MARKER.sub(lambda match: match[1] + table(match[2]) + match[3], text)
