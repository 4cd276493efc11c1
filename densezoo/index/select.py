"""Choosing models by what the index says of them: ``top1 > 76 and params < 10e6``.

An expression is read as Python's syntax and computed here, never executed: names of fields, numbers, strings, lists,
comparisons (``<``, ``<=``, ``==``, ``!=``, ``>=``, ``>``, ``in``, ``not in``), ``and``, ``or``, ``not``, brackets.
A comparison with a field that a model lacks is false.

A model has several accuracies: on several datasets, under several protocols, published and measured. Unless an
expression names dataset or protocol, only the one under the weights' own protocol counts; see `_considered`.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from densezoo.errors import QueryError, UnknownNameError, suggestion
from densezoo.families import families, family_of
from densezoo.index.flops import flops_under
from densezoo.types import Accuracy, EvalResult, ModelSpec, ReportedResult

Value = str | float | int | None


@dataclass(frozen=True)
class Field:
    """A fact of a model, or of one of its accuracies, that expressions, sorting and columns can name.

    Args:
        text: its description.
        value: accuracy -> the fact; None if it has none.
    """

    text: str
    value: Callable[[Accuracy], Value]


def _of_model(text: str, value: Callable[[ModelSpec], Value]) -> Field:
    return Field(text, lambda accuracy: value(accuracy.spec))


def _published(text: str, value: Callable[[ReportedResult], Value]) -> Field:
    return Field(text, lambda accuracy: None if accuracy.reported is None else value(accuracy.reported))


def _measured(text: str, value: Callable[[EvalResult], Value]) -> Field:
    return Field(text, lambda accuracy: None if accuracy.measured is None else value(accuracy.measured))


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

    return _of_model(text, value)


def _flops(accuracy: Accuracy) -> Value:
    return flops_under(accuracy.spec, accuracy.protocol)[1].get("torchvision")


FIELDS: Mapping[str, Field] = {
    "name": _of_model("arch.tag", lambda spec: spec.name),
    "arch": _of_model("the name before the dot", lambda spec: spec.arch),
    "tag": _of_model("the name after the dot: whose training", lambda spec: spec.tag),
    "publisher": _of_model("who published it first", lambda spec: spec.publisher),
    "dataset": Field("of top1, top5 and measured_*", lambda accuracy: accuracy.dataset),
    "protocol": Field("the named preprocessing of top1, top5 and measured_*", lambda accuracy: accuracy.protocol),
    "top1": _published("published, percent", lambda result: result.top1),
    "top5": _published("the same for the first five", lambda result: result.top5),
    "published_by": _published("who published top1 and top5", lambda result: result.published_by),
    "measured_top1": _measured("measured here, percent", lambda result: result.top1),
    "measured_top5": _measured("the same for the first five", lambda result: result.top5),
    "measured_images": _measured("how many images were measured", lambda result: result.num_samples),
    "measured_on": _measured("the day of the measurement, such as 2026-11-21", lambda result: result.date[:10]),
    "params": _of_model("trainable parameters", lambda spec: spec.num_params),
    "flops": Field("multiply-adds at the protocol's image size, torchvision's convention", _flops),
    **{name: _of_family(name, text) for family in families() for name, (text, _) in family.fields.items()},
    "num_classes": _of_model("outputs", lambda spec: spec.architecture.num_classes),
    "epochs": _of_model("of the training", _recipe("epochs")),
    "batch_size": _of_model("of the training", _recipe("batch size")),
    "framework": _of_model(
        "of the first weight file", lambda spec: spec.weights[0].framework if spec.weights else None
    ),
    "format": _of_model("of the first weight file", lambda spec: spec.weights[0].format if spec.weights else None),
    "files": _of_model("how many weight files are published", lambda spec: len(spec.weights)),
    "license": _of_model("of the publisher's code", lambda spec: spec.license),
    "port_of": _of_model("the model whose weights these are", lambda spec: spec.port_of),
    "config": _of_model("the config file", lambda spec: spec.config),
}

#: Fields that speak of one accuracy among several: an expression with one of them is tried on each under any protocol.
_OF_ONE_ACCURACY = ("protocol", "published_by", "measured_top1", "measured_top5", "measured_images", "measured_on")

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


def select(models: Iterable[Sequence[Accuracy]], where: str | None = None, sort: str = "name") -> list[Accuracy]:
    """The models for which an expression holds, each with the accuracy for which it does.

    Args:
        models: every accuracy of each model, at least one without any.
        where: over FIELDS; None: all models, each with the accuracy under its weights' own protocol.
        sort: a field, with a minus before it from high to low; models without it come last.

    Raises:
        QueryError: ``where`` is no such expression, or compares a number with a text.
        UnknownNameError: a field that isn't one of FIELDS; names the nearest.
    """
    holds = compile_where(where) if where is not None else lambda _: True
    named = set(names_in(where)) if where is not None else set()
    candidates = (_considered(accuracies, named) for accuracies in models)
    chosen = [first for accuracies in candidates if (first := next(filter(holds, accuracies), None)) is not None]
    value = field(sort.removeprefix("-")).value
    chosen.sort(key=lambda accuracy: accuracy.spec.name)
    present = [accuracy for accuracy in chosen if value(accuracy) is not None]
    present.sort(key=lambda accuracy: value(accuracy), reverse=sort.startswith("-"))  # type: ignore[arg-type,return-value]
    return present + [accuracy for accuracy in chosen if value(accuracy) is None]


def _considered(accuracies: Sequence[Accuracy], named: set[str]) -> list[Accuracy]:
    """The accuracies of a model on which an expression is tried, the one under the weights' own protocol first.

    All of them where it names the dataset and the protocol; where it names one of the two, those that have the other
    as the first one has it; otherwise the first one.

    Args:
        named: the fields in the expression.
    """
    ordered = sorted(accuracies, key=_precedence)
    by_dataset: dict[str | None, Accuracy] = {}
    for accuracy in ordered:
        by_dataset.setdefault(accuracy.dataset, accuracy)
    any_protocol = not named.isdisjoint(_OF_ONE_ACCURACY)
    if "dataset" in named:
        return ordered if any_protocol else list(by_dataset.values())
    same_dataset = [accuracy for accuracy in ordered if accuracy.dataset == ordered[0].dataset]
    return same_dataset if any_protocol else same_dataset[:1]


def _precedence(accuracy: Accuracy) -> tuple[bool, bool, bool]:
    """What sorts a model's accuracies: the headline, what is published, what is under the weights' own protocol."""
    spec, reported = accuracy.spec, accuracy.reported
    return reported is None or reported is not spec.headline, reported is None, accuracy.protocol != spec.protocol


def advice(models: Iterable[Sequence[Accuracy]], where: str) -> str:
    """What a user may have meant by an expression that holds for nothing: a text that no model has; "" for none."""
    accuracies = [accuracy for own in models for accuracy in own]
    tree = ast.parse(where.strip(), mode="eval")
    for node in ast.walk(tree):
        match node:
            case ast.Compare(left=ast.Name(id=name), ops=[ast.Eq()], comparators=[ast.Constant(value=str(value))]):
                values = {str(own) for accuracy in accuracies if (own := field(name).value(accuracy)) is not None}
                if value not in values:
                    return f"; no model's {name} is {value!r}{suggestion(value, values)}"
    return ""


def field(name: str) -> Field:
    """The field of that name.

    Args:
        name: a key of FIELDS.

    Raises:
        UnknownNameError: there is none; names the nearest.
    """
    if name not in FIELDS:
        others = f"known: {', '.join(FIELDS)}; a text stands in quotes: {name!r}"
        raise UnknownNameError("field", name, FIELDS, others)
    return FIELDS[name]


def names_in(expression: str) -> list[str]:
    """The fields that an expression names, in its order; it has been read before (`compile_where`)."""
    nodes = ast.walk(ast.parse(expression.strip(), mode="eval"))
    return list(dict.fromkeys(node.id for node in nodes if isinstance(node, ast.Name)))


def compile_where(expression: str) -> Callable[[Accuracy], bool]:
    """Compile an expression into a function: accuracy -> whether the expression holds.

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


def _predicate(node: ast.expr, expression: str) -> Callable[[Accuracy], bool]:
    match node:
        case ast.BoolOp(op=op, values=values):
            parts = [_predicate(value, expression) for value in values]
            together = all if isinstance(op, ast.And) else any
            return lambda accuracy: together(part(accuracy) for part in parts)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            inner = _predicate(operand, expression)
            return lambda accuracy: not inner(accuracy)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            operands = [_operand(item, expression) for item in (left, *comparators)]
            pairs = list(zip(ops, operands, operands[1:]))
            return lambda accuracy: all(_compare(op, a(accuracy), b(accuracy), expression) for op, a, b in pairs)
    raise QueryError(f"{expression!r}: {_part(node, expression)} is no comparison{_EXAMPLE}")


def _operand(node: ast.expr, expression: str) -> Callable[[Accuracy], object]:
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
