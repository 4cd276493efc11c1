"""Models side by side, as a table of pandas (the extra ``notebooks``)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from densezoo.api.index import accuracies_of, known_benchmarks
from densezoo.errors import MissingDependencyError
from densezoo.index.flops import flops_under
from densezoo.index.load import get_spec
from densezoo.index.select import field, select
from densezoo.results.site.speed import comparable, speeds, speeds_of
from densezoo.types import Accuracy, ModelSpec

if TYPE_CHECKING:
    import pandas

#: {column: the field of `densezoo.index.select.FIELDS` that is in it}.
COLUMNS = {
    "dataset": "dataset",
    "protocol": "protocol",
    "published top-1": "top1",
    "published top-5": "top5",
    "measured top-1": "measured_top1",
    "measured top-5": "measured_top5",
    "parameters": "params",
    "multiply-adds": "flops",
}


def compare(models: Iterable[str | ModelSpec], *, where: str | None = None) -> pandas.DataFrame:
    """Models side by side: ``compare(["densenet121", "rdnet_tiny.nv_in1k"])``, a row a model.

    Accuracies are percent, under the protocol that the weights are used with unless ``where`` says another; "images/s"
    is measured on one machine, with the protocol's image size, and missing where it wasn't;
    ``attrs["images/s"]`` names the machine.

    Args:
        models: names or aliases of the index, or its entries.
        where: a condition such as ``protocol == 'timm'``, which chooses among a model's accuracies; a model for which
            it doesn't hold has none. None: the accuracy under the model's own protocol.

    Raises:
        UnknownNameError: no such model; names the nearest.
        QueryError: ``where`` can't be read.
        MissingDependencyError: no pandas.
    """
    try:
        import pandas
    except ImportError:
        raise MissingDependencyError("a table of models", "pandas", "notebooks") from None
    specs = [get_spec(model) if isinstance(model, str) else model for model in models]
    chosen = {each.spec.name: each for each in select(accuracies_of(specs), where)}
    measured = comparable(speeds(known_benchmarks()))
    rows = []
    for spec in specs:
        accuracy = chosen.get(spec.name) or Accuracy(spec)
        side, _ = flops_under(spec, accuracy.protocol)
        rates = speeds_of(spec, side, measured)
        row: dict[str, object] = {column: field(name).value(accuracy) for column, name in COLUMNS.items()}
        rows.append({**row, "images/s": rates[0].rate.median if rates else None})
    names = pandas.Index([spec.name for spec in specs], name="model")
    table = pandas.DataFrame(rows, index=names, columns=[*COLUMNS, "images/s"])
    numbers = [column for column in table if column not in ("dataset", "protocol")]
    table[numbers] = table[numbers].astype(float)
    whole = ["parameters", "multiply-adds"]
    table[whole] = table[whole].astype("Int64")
    table.attrs["images/s"] = measured[0].machine if measured else ""
    return table
