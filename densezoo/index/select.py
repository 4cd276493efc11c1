"""Choosing models by what the index says of them: ``top1 > 76 and params < 10e6``.

An expression is read as Python's syntax and computed here, never executed: names of fields, numbers, strings, lists,
comparisons (``<``, ``<=``, ``==``, ``!=``, ``>=``, ``>``, ``in``, ``not in``), ``and``, ``or``, ``not``, brackets.
A comparison with a field that a model lacks is false.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from densezoo.errors import QueryError, UnknownNameError
from densezoo.families import families, family_of
from densezoo.index.load import tell_which
from densezoo.types import ModelSpec, ReportedResult

Value = str | float | int | None


@dataclass(frozen=True)
class Field:
    """A fact of a model that expressions, sorting and columns can name.

    Args:
        text: its description.
        value: model -> the fact; None if the model lacks it.
    """

    text: str
    value: Callable[[ModelSpec], Value]


def _headline(value: Callable[[ReportedResult], Value]) -> Callable[[ModelSpec], Value]:
    return lambda spec: None if spec.headline is None else value(spec.headline)


def _recipe(name: str) -> Callable[[ModelSpec], Value]:
    def value(spec: ModelSpec) -> Value:
        stated = spec.recipe.get(name)
        return stated if isinstance(stated, (str, int, float)) else None

    return value


def _of_family(name: str, text: str) -> Field:
    """A fact of an architecture that some families have."""

    def value(spec: ModelSpec) -> Value:
        fields = family_of(spec.architecture).fields
        return fields[name][1](spec.architecture) if name in fields else None

    return Field(text, value)


FIELDS: Mapping[str, Field] = {
    "name": Field("arch.tag", lambda spec: spec.name),
    "arch": Field("the name before the dot", lambda spec: spec.arch),
    "tag": Field("the name after the dot: whose training", lambda spec: spec.tag),
    "publisher": Field("who published it first", lambda spec: spec.publisher),
    "dataset": Field("of top1 and top5", _headline(lambda result: result.dataset)),
    "protocol": Field(
        "the named preprocessing of top1 and top5",
        lambda spec: (spec.headline and spec.headline.protocol) or spec.protocol,
    ),
    "top1": Field("published under the weights' own protocol, percent", _headline(lambda result: result.top1)),
    "top5": Field("the same for the first five", _headline(lambda result: result.top5)),
    "params": Field("trainable parameters", lambda spec: spec.num_params),
    "flops": Field("multiply-adds, torchvision's convention", lambda spec: spec.flops.get("torchvision")),
    **{name: _of_family(name, text) for family in families() for name, (text, _) in family.fields.items()},
    "num_classes": Field("outputs", lambda spec: spec.architecture.num_classes),
    "epochs": Field("of the training", _recipe("epochs")),
    "batch_size": Field("of the training", _recipe("batch size")),
    "framework": Field("of the first weight file", lambda spec: spec.weights[0].framework if spec.weights else None),
    "format": Field("of the first weight file", lambda spec: spec.weights[0].format if spec.weights else None),
    "files": Field("how many weight files are published", lambda spec: len(spec.weights)),
    "license": Field("of the publisher's code", lambda spec: spec.license),
    "port_of": Field("the model whose weights these are", lambda spec: spec.port_of),
    "config": Field("the config file", lambda spec: spec.config),
}

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.GtE: operator.ge,
    ast.Gt: operator.gt,
    ast.In: lambda item, container: item in container,
    ast.NotIn: lambda item, container: item not in container,
}


def select(
    specs: Iterable[ModelSpec], pattern: str = "*", where: str | None = None, sort: str = "name"
) -> list[ModelSpec]:
    """The models whose name or alias matches a shell pattern and for which an expression holds.

    For an architecture's name it logs which of several models is taken (`densezoo.index.load.tell_which`).

    Args:
        specs: the models to choose from.
        pattern: shell pattern.
        where: the expression, over FIELDS; None: it holds for all.
        sort: a field, with a minus before it to sort from high to low; models without it come last.

    Raises:
        QueryError: ``where`` is no such expression, or compares a number with a text.
        UnknownNameError: a field that isn't one of FIELDS; names the nearest.
    """
    holds = compile_where(where) if where is not None else lambda _: True
    specs = list(specs)
    chosen = [s for s in specs if any(fnmatchcase(name, pattern) for name in (s.name, *s.aliases)) and holds(s)]
    for spec in chosen:
        tell_which(pattern, spec, specs)
    value = field(sort.removeprefix("-")).value
    chosen.sort(key=lambda spec: spec.name)
    present = [spec for spec in chosen if value(spec) is not None]
    present.sort(key=lambda spec: value(spec), reverse=sort.startswith("-"))  # type: ignore[arg-type,return-value]
    return present + [spec for spec in chosen if value(spec) is None]


def field(name: str) -> Field:
    """The field of that name.

    Args:
        name: a key of FIELDS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in FIELDS:
        raise UnknownNameError("field", name, FIELDS)
    return FIELDS[name]


def compile_where(expression: str) -> Callable[[ModelSpec], bool]:
    """Compile an expression into a function: model -> whether the expression holds.

    Args:
        expression: such as ``top1 > 76 and params < 10e6``.

    Raises:
        QueryError: it is no such expression; names the part that is wrong.
        UnknownNameError: a name that is no field.
    """
    if len(expression) > MAX_LENGTH:
        raise QueryError(f"the expression has {len(expression):,} characters; expected at most {MAX_LENGTH:,}")
    try:
        tree = ast.parse(expression.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise QueryError(f"{expression!r}: can't be read as an expression ({error}){_EXAMPLE}") from None
    return _predicate(tree, expression)


MAX_LENGTH = 1000  # characters; bounds how deep an expression can be nested
_EXAMPLE = "; expected such as: top1 > 76 and params < 10e6"


def _predicate(node: ast.expr, expression: str) -> Callable[[ModelSpec], bool]:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_predicate(value, expression) for value in values]
            together = all if isinstance(op, ast.And) else any
            return lambda spec: together(part(spec) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _predicate(operand, expression)
            return lambda spec: not inner(spec)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [_operand(item, expression) for item in (left, *comparators)]
            pairs = list(zip(ops, operands, operands[1:]))
            return lambda spec: all(_compare(op, a(spec), b(spec), expression) for op, a, b in pairs)
    raise QueryError(f"{expression!r}: {_part(node, expression)} is no comparison{_EXAMPLE}")


def _operand(node: ast.expr, expression: str) -> Callable[[ModelSpec], object]:
    match node:
        case ast.Name(id=name):
            return field(name).value
        case ast.List() | ast.Tuple() | ast.Set() | ast.Constant() | ast.UnaryOp(op=ast.USub()):
            try:
                value = ast.literal_eval(node)
            except (ValueError, TypeError):
                raise QueryError(f"{expression!r}: {_part(node, expression)} is no constant{_EXAMPLE}") from None
            return lambda _: value
    expected = "expected a field, a number, a text in quotes or a list"
    raise QueryError(f"{expression!r}: {_part(node, expression)} can't be compared; {expected}{_EXAMPLE}")


def _compare(op: ast.cmpop, left: object, right: object, expression: str) -> bool:
    if left is None or right is None:
        return False
    try:
        if type(op) not in _COMPARISONS:
            raise TypeError("'is' compares nothing here; write ==")
        if isinstance(op, (ast.Eq, ast.NotEq)) and isinstance(left, str) != isinstance(right, str):
            raise TypeError(f"{left!r} and {right!r} are never equal: one is a text")
        return _COMPARISONS[type(op)](left, right)
    except TypeError as error:
        raise QueryError(f"{expression!r}: {error}{_EXAMPLE}") from None


def _part(node: ast.expr, expression: str) -> str:
    return repr(ast.get_source_segment(expression.strip(), node) or expression)
