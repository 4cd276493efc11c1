"""Stores each measurement as a JSON file, ``<folder>/<dataset>/<model>@<conditions>.json``.

Those of several labels an image, `LabelResult`, are in a folder of their own below, ``multi-label``.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

from densezoo import schema
from densezoo.errors import ResultError
from densezoo.families import with_defaults
from densezoo.files import write_atomically
from densezoo.paths import relative_to_root
from densezoo.protocols.own import contradiction
from densezoo.results.weights import strength
from densezoo.types import Conditions, EvalResult, LabelResult, Measurement, RunFacts

Result = TypeVar("Result", bound=Measurement)
LABELS = "multi-label"  # the folder of results of several labels an image, below their dataset's
COUNTS = ("num_samples", "correct1", "correct5")
CIRCUMSTANCES = ("date", "seconds", "commit", "machine")  # of a measurement; they are ignored when results are compared
#: The keys of a stored result, in their order in the file; those of OPTIONAL only if they have a value.
KEYS = (
    "model", "config", "weights_sha256", "dataset", "dataset_fingerprint", "protocol", "num_samples",
    "correct1", "correct5", "top1", "top5", "interval95", "interval95_top5", "labels", "mean_auc", "backend",
    "precision", "device", "versions", "commit", "date", "seconds", "coverage", "loss", "calibration_error",
    "tta", "subset", "weights_known_by", "architecture", "backend_difference", "machine", "calibration",
    "own_protocol", "sampled_from",
)  # fmt: skip
_SAMPLE = "a measurement of {0.num_samples:,} of {0.sampled_from:,} images (--limit) is no result of the dataset"
OPTIONAL = ("backend_difference", "machine", "calibration", "own_protocol", "sampled_from")


def result_path(folder: Path, result: RunFacts, kind: type[Result] | None = None) -> Path:
    """The file of a result; a repeated measurement has the same file.

    Args:
        folder: of results.
        result: the result, or the facts of its run.
        kind: what the run gives; None: what the result is, or `EvalResult`.
    """
    own = folder_of(folder, result.dataset, kind or type(result))
    return own / f"{file_stem(result.model, result.conditions)}.json"


def folder_of(folder: Path, dataset: str, kind: type[RunFacts]) -> Path:
    """The folder of a dataset's results, and of the state of runs.

    Args:
        folder: of results.
        dataset: its name.
        kind: of results.
    """
    return folder / dataset / LABELS if issubclass(kind, LabelResult) else folder / dataset


def file_stem(model: str, conditions: Conditions) -> str:
    """The name, without extension, of the files of a measurement: its result, its failure, its state.

    Args:
        model: its name.
        conditions: of the measurement.
    """
    return re.sub(r"[^\w.@+-]", "_", f"{model}@{conditions}")


def differences(result: RunFacts, other: RunFacts) -> list[str]:
    """The fields in which two results differ, as "field: value, other value".

    CIRCUMSTANCES are ignored, and roundings of floats.

    Args:
        result, other: the results.
    """
    values, others = (_completed_values(each) for each in (result, other))
    return [
        f"{name}: {value!r}, {others[name]!r}"
        for name, value in values.items()
        if name not in CIRCUMSTANCES and not _equal(value, others[name])
    ]


def _values(facts: RunFacts) -> dict[str, object]:
    """The fields of a result, or of the facts of a run, as JSON values, with lists for tuples."""
    values = dataclasses.asdict(facts)
    plain: dict[str, object] = json.loads(json.dumps({key: values[key] for key in KEYS if key in values}))
    return plain


def _completed_values(facts: RunFacts) -> dict[str, object]:
    """`_values`, with the fields of the architecture that are newer than a stored result: they had their defaults."""
    values = _values(facts)
    if facts.architecture is not None:
        values["architecture"] = with_defaults(facts.architecture)
    return values


def find_same(stored: Iterable[EvalResult], facts: RunFacts) -> EvalResult | None:
    """The stored result of a run with the same facts, CIRCUMSTANCES excepted; None if there is none.

    Args:
        stored: the results to search.
        facts: of a run under one protocol, with the fingerprint of the images.
    """
    ignored = (*CIRCUMSTANCES, "backend", "backend_difference")  # the latter two are known when the run has begun
    fixed = {key: value for key, value in _completed_values(facts).items() if key not in ignored}
    alike = (each for each in stored if each.conditions == facts.conditions)
    return next((each for each in alike if fixed == {key: _completed_values(each)[key] for key in fixed}), None)


def _equal(first: object, second: object) -> bool:
    if isinstance(first, float) and isinstance(second, float):
        return math.isclose(first, second, rel_tol=1e-6)
    return first == second


def storing(folder: str | Path, result: Result) -> str:
    """A line on what `write_result` has done: the file, and whether it held the same result before.

    Args:
        folder: of results.
        result: that was stored.
    """
    path = result_path(Path(folder), result)
    stored = _read_result(path, type(result))
    same = f"already stored, the same, on {stored.date}: " if stored.date != result.date else "stored: "
    return f"{same}{path}"


def compare_with(folder: str | Path, result: EvalResult) -> str:
    """A text on whether a stored result of the same measurement has the same counts, and on the differences.

    Args:
        folder: of results.
        result: the measurement.
    """
    path = result_path(Path(folder), result)
    shown_path = relative_to_root(path)
    if not path.is_file():
        return f"nothing to compare with: there is no {shown_path}"
    stored = _read_result(path, EvalResult)
    if all(getattr(result, name) == getattr(stored, name) for name in COUNTS):
        return f"the same counts as in {shown_path}"
    return "\n    ".join([f"differs from {shown_path} (here, there):", *differences(result, stored)])


def write_result(folder: str | Path, result: Result) -> Path:
    """Store a result; the file is written whole or not at all.

    A stored result stays if only CIRCUMSTANCES would change.

    Args:
        folder: of results.
        result: to store.

    Returns:
        The file.

    Raises:
        ResultError: the folder can't be written; it is of a sample alone.
    """
    path = result_path(Path(folder), result)
    if result.sampled_from is not None:
        raise ResultError(f"{path}: is not stored: {_SAMPLE.format(result)}")
    if path.exists():
        with contextlib.suppress(ResultError):  # a broken file is replaced
            if not differences(_read_result(path, type(result)), result):
                return path
    values = _values(result)
    values = {key: value for key, value in values.items() if value is not None or key not in OPTIONAL}
    text = json.dumps(values, indent=2) + "\n"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise ResultError(f"{path}: the result can't be written ({error.strerror}); choose another folder") from None
    return path


def failure_path(folder: Path, model: str, conditions: Conditions) -> Path:
    """The file in which a sweep stores why a measurement failed, beside the file of its result.

    Args:
        folder: of results.
        model: its name.
        conditions: of the measurement.
    """
    return folder / conditions.dataset / f"{file_stem(model, conditions)}.error.txt"


def record_failure(path: Path, error: str) -> None:
    """Store why a measurement failed.

    Args:
        path: of `failure_path`.
        error: the message.

    Raises:
        ResultError: the folder can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, f"{error}\n")
    except OSError as reason:
        raise ResultError(f"{path}: the error can't be recorded ({reason.strerror}): {error}") from None


def check_replaces(folder: Path, facts: RunFacts, kind: type[Result]) -> None:
    """Refuse, before the work starts, a run whose result would replace one of weights that are known more surely.

    Args:
        folder: of results.
        facts: of the run, under one protocol.
        kind: what the run gives.

    Raises:
        ResultError: it would replace one.
    """
    path = result_path(folder, facts, kind)
    if not path.is_file():
        return
    try:
        stored = _read_result(path, kind)
    except ResultError:
        return  # a broken file may be replaced
    sha256, known_by = facts.weights_sha256, facts.weights_known_by
    if stored.weights_sha256 != sha256 and strength(stored.weights_known_by) > strength(known_by):
        raise ResultError(
            f"{path}: holds the result of weights {stored.weights_sha256[:8]}..., known by {stored.weights_known_by}; "
            f"these are {sha256[:8]}..., known by {known_by}, and would replace it: choose another folder"
        )


def read_results(folder: str | Path) -> list[EvalResult]:
    """Every result of one label an image that is stored below a folder, ordered by file name.

    Args:
        folder: of results.

    Raises:
        ResultError: a file is no result; names file and field.
    """
    return [_read_result(path, EvalResult) for path in sorted(Path(folder).glob("*/*@*.json"))]


def read_label_results(folder: str | Path) -> list[LabelResult]:
    """Every result of several labels an image that is stored below a folder, ordered by file name.

    Args:
        folder: of results.

    Raises:
        ResultError: a file is no such result; names file and field.
    """
    return [_read_result(path, LabelResult) for path in sorted(Path(folder).glob(f"*/{LABELS}/*@*.json"))]


def _read_result(path: Path, kind: type[Result]) -> Result:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ResultError(f"{path}: not a stored result ({error}); measure it again or remove the file") from None
    result = schema.build(kind, values, str(path), ResultError)
    problem = contradiction(result) if result.sampled_from is None else _SAMPLE.format(result)
    if problem := problem or _miscounted(result):
        raise ResultError(f"{path}: {problem}; measure it again or remove the file")
    return result


def _miscounted(result: Measurement) -> str | None:
    """Which percentage isn't that of its counts, as after a merge by hand; None: each is, or there are none."""
    if isinstance(result, LabelResult):
        return None
    total = result.num_samples
    if not 0 <= result.correct1 <= result.correct5 <= total or not total:
        return f"found {result.correct1} and {result.correct5} right images of {total}"
    for name, correct, percent in (("top1", result.correct1, result.top1), ("top5", result.correct5, result.top5)):
        if not math.isclose(percent, 100 * correct / total, abs_tol=1e-6):
            return f"{name} is {percent}; expected {100 * correct / total}, which {correct} of {total} images are"
    return None
