"""TorchScript's code, followed step by step without running it: which operators a module's forward applies to what.

The code is a small part of Python (torch/csrc/jit/serialization/python_print.cpp). It is parsed, and walked with
tensors as names of steps; what depends on the image's size is unknown, and a choice that depends on it is refused.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats import aten
from densezoo.formats.archive import Archive
from densezoo.formats.pickled import Inert
from densezoo.formats.pytorch import Deferred
from densezoo.types import GraphNode

MAX_CODE = 4 << 20  # bytes of one archive's code; DenseNet-264's takes 0.7 MB
#: Words and signs of the code, each of which takes up to 700 bytes of memory when it is parsed: so many, and one more
#: for so many bytes of the file. DenseNet-264 has 140,000 in 290 MB.
MAX_WORDS, BYTES_PER_WORD = 80_000, 256
MAX_WORK = 600_000  # expressions looked at; DenseNet-264's forward takes 60,000
MAX_CALLS = 24  # functions inside each other; a scripted DenseNet has 8
UNKNOWN = object()  # a value that only an image would give

_PURE: dict[str, Callable[..., Any]] = {
    "eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge,
    "__is__": operator.is_, "__isnot__": operator.is_not, "__not__": operator.not_, "__and__": operator.and_,
    "__or__": operator.or_, "__contains__": operator.contains, "__getitem__": operator.getitem, "len": len,
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "int": int, "float": float, "bool": bool,
}  # fmt: skip
#: Questions about a tensor or a list, whose answer is no step.
_ASKED = ("len", "size", "__getitem__", "__is__", "__isnot__")
#: What leaves a list as it is.
_READS = (*_PURE, "size", "slice", "format")
_HOOKS = ("__forward_pre_hooks__", "__forward_hooks__")
_WORD = re.compile(rb"\w+|[^\w\s]")
_CONSTANTS = {"inf": float("inf"), "nan": float("nan"), "CONSTANTS": UNKNOWN}


@dataclass
class Activation:
    """A tensor that depends on the image.

    Args:
        step: which one makes it; an operator that works in place makes it another one.
        rank: 4 for a map, 2 for a row an image; UNKNOWN after an operator that no DenseNet has.
        shared: whether another tensor may be a view of it, or it of another.
    """

    step: str
    rank: Any = 4
    shared: bool = False


@dataclass(frozen=True)
class Sizes:
    """The sides of a tensor that depends on the image: only how many, and which is the number of images, is known."""

    rank: Any


@dataclass(frozen=True)
class Transposed:
    """A weight with its two sides swapped, as addmm takes it."""

    weight: Deferred


@dataclass(frozen=True)
class Function:
    """A function or method of the code, and the module that a method is bound to."""

    file: str
    definition: ast.FunctionDef
    owner: Inert | None = None


class Returned(Exception):
    """A return statement's value, on its way out of the statements around it."""

    def __init__(self, value: Any) -> None:
        self.value = value


def follow(archive: Archive, root: str, module: Inert, names: Mapping[int, str]) -> tuple[GraphNode, ...]:
    """The steps from the image to what the module's ``forward`` returns.

    Args:
        names: {id of a tensor of the module: its name}.

    Raises:
        FormatError: no such code; code that does what no DenseNet's does.
    """
    walk = _Walk(archive, root, names)
    try:
        forward = walk.method(module, "forward")
        taken = [argument.arg for argument in forward.definition.args.args[1:]]
        image = Activation(walk.add("input", taken[0] if taken else "", (), {}))
        made = walk.call(forward, [image], {})
        if not isinstance(made, Activation):
            found = "what can't be followed" if made is UNKNOWN else f"a {type(made).__name__}"
            raise walk.refuse(f"forward returns {found}; expected one tensor")
        return aten.reached(walk.steps, made.step)
    except RecursionError:
        raise walk.refuse("expressions nested too deeply") from None
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        raise walk.refuse(f"{error!r:.100}") from None


@dataclass
class _Walk:
    archive: Archive
    root: str
    names: Mapping[int, str]
    steps: dict[str, GraphNode] = field(default_factory=dict)
    files: dict[str, dict[str, ast.stmt]] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    calls: list[str] = field(default_factory=list)
    line: int = 0
    work: int = 0
    code: int = 0
    words: int = 0

    def refuse(self, reason: str) -> FormatError:
        where = f"{self.calls[-1]}, line {self.line}" if self.calls else "its code"
        return FormatError(f"{self.archive.path}: {where}: {reason}; no scripted or traced DenseNet has that")

    def add(
        self, op: str, word: str, inputs: tuple[str, ...], attributes: dict[str, Any], weights: tuple[str, ...] = ()
    ) -> str:
        name = f"{len(self.steps)} {word}"
        self.steps[name] = GraphNode(op, name, inputs, attributes, weights)
        return name

    # Code: files, classes, functions.

    def definitions(self, file: str) -> dict[str, ast.stmt]:
        """{name: class or function} of a file of the code."""
        if file not in self.files:
            source = self.archive.read(f"{self.root}/code/{file.replace('.', '/')}.py")
            self.code += len(source)
            self.words += sum(1 for _ in _WORD.finditer(source)) if self.code <= MAX_CODE else 0
            if self.code > MAX_CODE or self.words > MAX_WORDS + len(self.archive.data) // BYTES_PER_WORD:
                raise self.refuse(f"{self.code:,} bytes of code")
            try:
                tree = ast.parse(bytes(source).replace(b"^", b""))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise self.refuse(f"{file} can't be parsed ({error})") from None
            items = [item for item in tree.body if isinstance(item, (ast.ClassDef, ast.FunctionDef))]
            self.files[file] = {item.name: item for item in items}
            if len(self.files[file]) < len(items):
                raise self.refuse(f"{file} defines a name twice")
        return self.files[file]

    def function(self, qualified: str) -> Function:
        file, _, name = qualified.rpartition(".")
        found = self.definitions(file).get(name)
        if not isinstance(found, ast.FunctionDef):
            raise self.refuse(f"there is no function {qualified}")
        return Function(file, found)

    def body(self, module: Inert) -> list[ast.stmt]:
        """What stands in a module's class; a module that torch would change beside its forward is refused."""
        file, _, kind = module.name.rpartition(".")
        found = self.definitions(file).get(kind)
        body = found.body if isinstance(found, ast.ClassDef) else []
        for item in body if module.name not in self.checked else ():
            match item:
                case ast.FunctionDef("__setstate__"):
                    raise self.refuse(f"{module.name} changes what is loaded (__setstate__)")
                case ast.Assign([ast.Name(name)], ast.List([_, *_])) if name in _HOOKS:
                    raise self.refuse(f"{module.name} has {name}")
        self.checked.add(module.name)
        return body

    def method(self, module: Inert, name: str) -> Function:
        for item in self.body(module):
            if isinstance(item, ast.FunctionDef) and item.name == name:
                return Function(module.name.rpartition(".")[0], item, module)
        raise self.refuse(f"{module.name} has no method {name}")

    def call(self, function: Function, given: list[Any], named: dict[str, Any]) -> Any:
        """What the function returns for these arguments."""
        if len(self.calls) >= MAX_CALLS:
            raise self.refuse(f"more than {MAX_CALLS} functions inside each other")
        taken = function.definition.args
        names = [argument.arg for argument in taken.args]
        values = [*([function.owner] if function.owner else []), *given]
        if len(values) > len(names):
            raise self.refuse(f"{function.definition.name} takes {len(names)} arguments, not {len(values)}")
        scope = dict(zip(names, values)) | named
        for name, default in zip(reversed(names), reversed(taken.defaults)):
            scope.setdefault(name, self.value(default, {}))
        self.calls.append(f"{function.file}.{function.definition.name}")
        line, value = self.line, None
        try:
            self.run(function.definition.body, scope)
        except Returned as returned:
            value = returned.value
        self.calls.pop()  # not after an error, whose message says where it was
        self.line = line
        return value

    # Statements.

    def run(self, statements: list[ast.stmt], scope: dict[str, Any]) -> None:
        for statement in statements:
            self.line = statement.lineno
            match statement:
                case ast.Pass():
                    pass
                case ast.Expr(value):
                    self.value(value, scope)
                case ast.Assign([target], value) | ast.AnnAssign(target, _, ast.expr() as value):
                    self.assign(target, self.value(value, scope), scope)
                case ast.Return(value):
                    raise Returned(self.value(value, scope) if value else None)
                case ast.If(test, body, other):
                    self.run(self.branch(self.value(test, scope), body, other), scope)
                case ast.While(test, body):
                    while self.known(self.value(test, scope)):
                        self.run(body, scope)
                case ast.For(target, ast.Call(ast.Name("range"), [count]), body):
                    for i in range(self.known(self.value(count, scope))):
                        self.assign(target, i, scope)
                        self.run(body, scope)
                case _:
                    raise self.refuse(f"{type(statement).__name__} statements are not followed")

    def assign(self, target: ast.expr, value: Any, scope: dict[str, Any]) -> None:
        self.spend()
        match target:
            case ast.Name(name):
                scope[name] = value
            case ast.Tuple(targets) if isinstance(value, Activation):  # a pool and the places of its maxima
                self.assign(target, (value, *[UNKNOWN] * (len(targets) - 1)), scope)
            case ast.Tuple(targets) if isinstance(value, (tuple, list)) and len(targets) == len(value):
                for part, item in zip(targets, value):
                    self.assign(part, item, scope)
            case _:
                raise self.refuse(f"{ast.unparse(target)} is assigned to")

    def branch(self, test: Any, body: list[ast.stmt], other: list[ast.stmt]) -> list[ast.stmt]:
        """The statements that follow; of a choice that depends on the image, those that don't end in an error."""
        if not isinstance(test, bool):
            alive = [statements for statements in (body, other) if not _raises(statements)]
            if len(alive) != 1:
                raise self.refuse("a choice that depends on the image")
            return alive[0]
        return body if test else other

    def known(self, value: Any) -> Any:
        if not isinstance(value, int):
            raise self.refuse("a loop that depends on the image")
        return value

    def spend(self, count: int = 1) -> None:
        self.work += count
        if self.work > MAX_WORK:
            raise self.refuse(f"more than {MAX_WORK:,} expressions")

    # Expressions.

    def value(self, expression: ast.expr, scope: dict[str, Any]) -> Any:
        self.spend()
        match expression:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return scope[name] if name in scope else _CONSTANTS[name]
            case ast.List(items):
                return [self.flat(self.value(item, scope)) for item in items]
            case ast.Tuple(items):
                return tuple(self.flat(self.value(item, scope)) for item in items)
            case ast.UnaryOp(ast.USub(), operand):
                return -self.value(operand, scope)
            case ast.Subscript(container, index):
                return self.pure("__getitem__", [self.value(container, scope), self.value(index, scope)])
            case ast.Attribute():
                return self.attribute(expression, scope)
            case ast.Call():
                return self.called(expression, scope)
        raise self.refuse(f"{type(expression).__name__} expressions are not followed")

    def flat(self, item: Any) -> Any:
        """A list's item; lists of lists of the same lists would grow without end when they are compared or printed."""
        if isinstance(item, (list, tuple)):
            raise self.refuse("lists inside lists")
        return item

    def attribute(self, expression: ast.Attribute, scope: dict[str, Any]) -> Any:
        dotted = _dotted(expression)
        if dotted.startswith("__torch__."):
            return self.function(dotted)
        return self.member(self.value(expression.value, scope), expression.attr)

    def member(self, owner: Any, name: str) -> Any:
        if not isinstance(owner, Inert) or not isinstance(owner.state, dict):
            return UNKNOWN
        self.body(owner)
        if name == "training":
            return False  # a module is evaluated in evaluation mode, in whichever it was saved
        return owner.state[name]

    def called(self, expression: ast.Call, scope: dict[str, Any]) -> Any:
        dotted = _dotted(expression.func)
        namespace, _, word = dotted.rpartition(".")
        of_torch = namespace in ("torch", "ops.aten", "ops.prim", "") and dotted.partition(".")[0] not in scope
        if of_torch and word in ("annotate", "unchecked_cast"):
            return self.value(expression.args[1], scope)
        if of_torch and word == "uninitialized":
            return UNKNOWN
        if of_torch and word == "isinstance":
            return self.is_instance(self.value(expression.args[0], scope), ast.unparse(expression.args[1]))
        given = [self.value(argument, scope) for argument in expression.args]
        named = {str(keyword.arg): self.value(keyword.value, scope) for keyword in expression.keywords}
        if of_torch:
            return self.operate(word, given, named)
        if isinstance(expression.func, ast.Attribute) and not dotted.startswith("__torch__."):
            owner = self.value(expression.func.value, scope)
            if not isinstance(owner, Inert):
                raise self.refuse(f"a call of {ast.unparse(expression.func)}")
            return self.call(self.method(owner, expression.func.attr), given, named)
        function = self.value(expression.func, scope)
        if not isinstance(function, Function):
            raise self.refuse(f"a call of {dotted}")
        return self.call(function, given, named)

    def is_instance(self, value: Any, kind: str) -> Any:
        if value is UNKNOWN or kind not in ("Tensor", "List[Tensor]"):
            return UNKNOWN
        items = value if isinstance(value, list) and kind != "Tensor" else [value]
        return isinstance(value, list) == (kind != "Tensor") and all(
            isinstance(item, (Activation, Deferred)) for item in items
        )

    # Operators.

    def operate(self, word: str, given: list[Any], named: dict[str, Any]) -> Any:
        """An operator's result: a tensor, if it takes one; else a value.

        An operator that no DenseNet has is a step of its own name, and refused only if the result depends on it.
        """
        values = aten.arguments(word, given) | aten.renamed(word, named)
        items = [part for value in given for part in (value if isinstance(value, list) else [value])]
        self.spend(len(items))
        if "out" in named:
            raise self.refuse(f"{word} changes what it is given")
        if word == "RaiseException":
            raise self.refuse("forward ends in an error of its own")
        if word == "getattr":
            return self.member(given[0], given[1])
        if word == "append":
            given[0].append(self.flat(given[1]))
            return given[0]
        if word == "dim" and isinstance(given[0], Activation):
            return given[0].rank
        if word == "size" and isinstance(given[0], Activation):
            sizes = Sizes(given[0].rank)
            return self.pure("__getitem__", [sizes, given[1]]) if len(given) > 1 else sizes
        if word == "requires_grad":
            return False  # as in evaluation
        taken = [part for part in items if isinstance(part, Activation)]
        if not taken or word in _ASKED:
            return self.pure(word, given)
        if not values and isinstance(given[0], list):
            raise self.refuse(f"{word} changes what it is given")
        if word == "addmm":  # the weight has to be a transposed one, and nothing else takes such a one
            values["weight"] = values["weight"].weight if isinstance(values["weight"], Transposed) else UNKNOWN
        op, attributes = aten.describe(word, values)
        weights = [values.get(name) for name in aten.WEIGHTS]
        if values and not self.followed(values):
            op = f"{word} of values that are computed"
        names = tuple(self.names[id(weight)] for weight in weights if isinstance(weight, Deferred))
        if op == "identity" and word != "clone":
            if word == "contiguous":  # a copy or not, as the numbers lie
                taken[0].shared = True
                return Activation(taken[0].step, taken[0].rank, shared=True)
            return taken[0]
        rank = 2 if op == "flatten" or (word == "mean" and not values.get("keepdim")) else taken[0].rank
        rank = rank if aten.known(word) else UNKNOWN
        step = self.add(op, word, tuple(part.step for part in taken), attributes, names)
        if word.endswith("_"):
            if taken[0] is not given[0] or taken[0].shared:
                raise self.refuse(f"{word} changes what other tensors see")
            taken[0].step, taken[0].rank = step, rank
            return taken[0]
        taken[0].shared = taken[0].shared or op == "flatten"
        return Activation(step, rank, shared=op == "flatten")

    def followed(self, values: Mapping[str, Any]) -> bool:
        """Whether an operator is given tensors that depend on the image as its input, and the module's as weights."""
        inputs = next((values[name] for name in aten.INPUTS if name in values), None)
        weights = (values.get(name) for name in aten.WEIGHTS)
        return all(
            isinstance(value, Activation) for value in (inputs if isinstance(inputs, list) else [inputs])
        ) and all(weight is None or isinstance(weight, Deferred) for weight in weights)

    def pure(self, word: str, given: list[Any]) -> Any:
        """A calculation with numbers, texts and lists."""
        if word in aten.TRANSPOSITIONS and isinstance(given[0], Deferred):
            return Transposed(given[0]) if aten.transposes(word, given[1:]) else UNKNOWN
        if (word.endswith("_") and not word.endswith("__")) or "batch_norm" in word:
            raise self.refuse(f"{word} changes a weight, as in training mode")
        if word not in _READS and any(isinstance(value, list) for value in given):
            raise self.refuse(f"{word} may change a list")
        if word in ("__is__", "__isnot__") and all(value is not UNKNOWN for value in given):
            return _PURE[word](*given)
        if word in ("NumToTensor", "Int", "int") and given == [aten.BATCH]:
            return aten.BATCH
        match word, given:
            case "__getitem__", [Sizes(), index]:
                return aten.BATCH if index == 0 and type(index) is int else UNKNOWN
            case "len", [Sizes(rank)]:
                return rank
        unknown = (Activation, Deferred, Transposed, Sizes)
        if word not in _PURE or any(value in (UNKNOWN, aten.BATCH) or isinstance(value, unknown) for value in given):
            return UNKNOWN
        if word in ("add", "sub", "mul") and not all(isinstance(value, (int, float)) for value in given):
            return UNKNOWN
        value = _PURE[word](*given)
        if isinstance(value, int) and abs(value) >= 1 << 63:
            raise self.refuse(f"a number of {value.bit_length()} bits")
        return value


def _raises(statements: list[ast.stmt]) -> bool:
    """Whether the last statement is a ``raise``."""
    match statements[-1:]:
        case [ast.Expr(ast.Call(function))]:
            return _dotted(function) == "ops.prim.RaiseException"
    return False


def _dotted(expression: ast.expr) -> str:
    """``a.b.c`` as text; empty for anything else."""
    parts = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    return ".".join([expression.id, *reversed(parts)]) if isinstance(expression, ast.Name) else ""
