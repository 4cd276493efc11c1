"""Every error that densezoo raises on purpose.

    DensezooError
    ├── ConfigError        a config file or an override: unreadable, unknown key, wrong type
    ├── MetafileError      an index or a metafile: the same, naming file, model and field
    ├── UnknownNameError   a model, protocol or dataset that doesn't exist; names the nearest one
    ├── QueryError         a query for models: no expression, a number compared with a text, or no model fits
    ├── DownloadError      weights that no location serves whole and unchanged
    ├── FormatError        a checkpoint file that can't be read in the format of its first bytes
    ├── CheckpointError    a readable checkpoint that doesn't hold the network that was asked for
    ├── DatasetError       a dataset: missing, in another layout, labels out of range
    ├── ImageError         one image that can't be decoded
    ├── MissingDependencyError  an optional package that isn't installed; names the extra that has it
    ├── EvaluationError    a run that can't give a number: NaN logits, an image scored twice
    │   └── BackendError   a backend that can't express the network, the precision or the device
    ├── TrainingError      a training run that can't start or diverged
    ├── BenchmarkError     a program that can't be timed: not installed, can't run the network, ended
    └── ResultError        a stored result or a generated table: broken, stale, not what was expected

A message says what was expected, what was found, where (file, and offset or field), and what to do next.
The tools print it alone and exit with status 1; ``--debug`` shows the traceback.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class DensezooError(Exception):
    """The base class: ``except densezoo.errors.DensezooError`` catches every error that a user can mend."""

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle class and message alone: another process rebuilds the error without the constructor's arguments."""
        return _rebuilt, (type(self), self.args)


def _rebuilt(kind: type[DensezooError], args: tuple[object, ...]) -> DensezooError:
    error = kind.__new__(kind)
    error.args = args
    return error


class ConfigError(DensezooError): ...


class MetafileError(DensezooError): ...


class UnknownNameError(DensezooError):
    """A name that is in no table.

    Args:
        kind: what the name is of, as a noun ("protocol").
        name: the unknown name.
        known: every name there is, or those that may have been meant.
        otherwise: the end of the message when no known name is near; None: the list of all known names.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], otherwise: str | None = None) -> None:
        super().__init__(f"there is no {kind} {name!r}{suggestion(name, known, otherwise)}")


class QueryError(DensezooError): ...


class MissingDependencyError(DensezooError):
    """An optional package that isn't installed.

    Args:
        purpose: what needs it, as a noun ("writing ONNX files").
        package: its name ("onnx").
        extra: densezoo's extra that has it ("formats"), a key of pyproject's optional-dependencies; "" for
            what densezoo's own installation builds where there is a compiler.
    """

    def __init__(self, purpose: str, package: str, extra: str = "") -> None:
        install = (
            f"pip install {package.lower()}, or in a clone of densezoo pip install -e '.[{extra}]'"
            if extra
            else "with a C++ compiler at hand, in a clone of densezoo pip install -e ."
        )
        super().__init__(f"{purpose} needs {package}, which is not installed: {install}")


class DownloadError(DensezooError): ...


class FormatError(DensezooError): ...


class CheckpointError(DensezooError): ...


class DatasetError(DensezooError): ...


class ImageError(DensezooError): ...


class EvaluationError(DensezooError): ...


class BackendError(EvaluationError): ...


class TrainingError(DensezooError): ...


class BenchmarkError(DensezooError): ...


class ResultError(DensezooError): ...


def some(names: Sequence[str], most: int = 5) -> str:
    """The first names of a list, for a message: "a, b, c, d, e, ...".

    Args:
        names: in their order.
        most: how many are shown at most.
    """
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def suggestion(name: str, known: Iterable[str], otherwise: str | None = None) -> str:
    """The end of an "unknown name" message: the nearest known name; if none is near, ``otherwise`` or all known names.

    Args:
        name: the unknown name.
        known: every name there is, or those that may have been meant.
        otherwise: what stands there when no known name is near; None: the list of all known names.
    """
    names = sorted(known)
    near = get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; {otherwise or 'known: ' + ', '.join(names)}"
