"""TorchScript's code, followed statement by statement without running it: which operators a module's forward applies.

Tensors are names of steps; a branch that depends on the image's size is refused.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping

from densezoo.errors import FormatError
from densezoo.formats.containers.pickle_values import Inert
from densezoo.formats.containers.zip import Archive
from densezoo.formats.torch import aten
from densezoo.formats.torch.script_code import Code, NotFollowed, ScriptFunction, dotted_name
from densezoo.formats.torch.script_values import UNKNOWN, Activation, ScriptSteps, answer, flat, flattened, is_instance
from densezoo.types import Node

MAX_WORK = 150_000  # expressions that are followed; the largest network's forward takes 60,000
MAX_CALLS = 24  # functions inside each other; a scripted network has 8
_CONSTANTS = {"inf": float("inf"), "nan": float("nan"), "CONSTANTS": UNKNOWN}


class Returned(Exception):
    """Raised at a return statement, to leave the statements around it; ``value`` is what it returns."""

    def __init__(self, value: object) -> None:
        self.value = value


def follow(archive: Archive, root: str, module: Inert, names: Mapping[int, str]) -> tuple[Node, ...]:
    """The steps from the image to what the module's ``forward`` returns; none of a module without any code.

    Args:
        archive: the zip archive.
        root: the folder of all members in it.
        module: the module, as data.
        names: {id of a tensor of the module: its name}.

    Raises:
        FormatError: no such code; code outside the subset that densezoo follows.
    """
    walk = _CodeWalk(Code(archive, root), ScriptSteps(names))
    try:
        if not walk.code.has_methods(module):
            return ()
        forward = walk.code.method(module, "forward")
        names_of_inputs = [argument.arg for argument in forward.definition.args.args[1:]]
        image = Activation(walk.steps.add("input", "".join(names_of_inputs[:1]), (), {}))
        returned = walk.call(forward, [image], {})
        if not isinstance(returned, Activation):
            kind = "what can't be followed" if returned is UNKNOWN else f"a {type(returned).__name__}"
            raise NotFollowed(f"forward returns {kind}; expected one tensor")
        return aten.reached(walk.steps.steps, returned.step)
    except RecursionError:
        reason = "expressions nested too deeply"
    except NotFollowed as error:
        reason = str(error)
    except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
        reason = f"{error!s:.160}" if type(error) is ValueError else f"{error!r:.100}"
    raise FormatError(
        f"{archive.path}: {walk.location()}: {reason}; expected a scripted or traced network; save its state_dict"
    )


class _CodeWalk:
    """Follows the code. ``calls`` and ``line`` are the location in it, ``work`` counts the expressions.

    Args:
        code: the archive's classes and functions.
        steps: collects the steps.

    Raises:
        NotFollowed: code outside the supported subset. All methods raise it.
    """

    def __init__(self, code: Code, steps: ScriptSteps) -> None:
        self.code, self.steps = code, steps
        self.calls: list[str] = []
        self.line = self.work = 0

    def location(self) -> str:
        """The function and line, for messages."""
        return f"{self.calls[-1]}, line {self.line}" if self.calls else "its code"

    def call(self, function: ScriptFunction, operands: list[object], named: dict[str, object]) -> object:
        """What a function returns for arguments by position (``operands``) and by name."""
        if len(self.calls) >= MAX_CALLS:
            raise NotFollowed(f"more than {MAX_CALLS} functions inside each other")
        parameters = function.definition.args
        names = [argument.arg for argument in parameters.args]
        values = [*([function.owner] if function.owner else []), *operands]
        if len(values) > len(names):
            raise NotFollowed(f"{function.definition.name} takes {len(names)} arguments, not {len(values)}")
        scope = dict(zip(names, values)) | named
        for name, default in zip(reversed(names), reversed(parameters.defaults)):
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

    def run(self, statements: list[ast.stmt], scope: dict[str, object]) -> None:
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
                    raise NotFollowed(f"{type(statement).__name__} statements are not followed")

    def assign(self, target: ast.expr, value: object, scope: dict[str, object]) -> None:
        self.spend()
        match target:
            case ast.Name(name):
                scope[name] = value
            case ast.Tuple(targets) if isinstance(value, Activation):  # a pool and the positions of its maxima
                self.assign(target, (value, *[UNKNOWN] * (len(targets) - 1)), scope)
            case ast.Tuple(targets) if isinstance(value, (tuple, list)) and len(targets) == len(value):
                for part, item in zip(targets, value):
                    self.assign(part, item, scope)
            case _:
                raise NotFollowed(f"{ast.unparse(target)} is assigned to")

    def branch(self, test: object, body: list[ast.stmt], other: list[ast.stmt]) -> list[ast.stmt]:
        """The statements of the branch that is taken; if that depends on the image, of the one that raises no error."""
        if not isinstance(test, bool):
            alive = [statements for statements in (body, other) if not _raises(statements)]
            if len(alive) != 1:
                raise NotFollowed("a choice that depends on the image")
            return alive[0]
        return body if test else other

    def known(self, value: object) -> int:
        if not isinstance(value, int):
            raise NotFollowed("a loop that depends on the image")
        return value

    def spend(self, count: int = 1) -> None:
        self.work += count
        if self.work > MAX_WORK:
            raise NotFollowed(f"more than {MAX_WORK:,} expressions")

    # Expressions.

    def value(self, expression: ast.expr, scope: dict[str, object]) -> object:
        self.spend()
        match expression:
            case ast.Constant(value):
                return value
            case ast.Name(name):
                return scope[name] if name in scope else _CONSTANTS[name]
            case ast.List(items):
                return [flat(self.value(item, scope)) for item in items]
            case ast.Tuple(items):
                return tuple(flat(self.value(item, scope)) for item in items)
            case ast.UnaryOp(ast.USub(), operand):
                number = self.value(operand, scope)
                if not isinstance(number, int | float):
                    raise NotFollowed("the negative of what is no number")
                return -number
            case ast.Subscript(container, index):
                return answer("__getitem__", [self.value(container, scope), self.value(index, scope)])
            case ast.Attribute():
                return self.attribute(expression, scope)
            case ast.Call():
                return self.called(expression, scope)
        raise NotFollowed(f"{type(expression).__name__} expressions are not followed")

    def attribute(self, expression: ast.Attribute, scope: dict[str, object]) -> object:
        dotted = dotted_name(expression)
        if dotted.startswith("__torch__."):
            return self.code.function(dotted)
        return self.member(self.value(expression.value, scope), expression.attr)

    def member(self, owner: object, name: object) -> object:
        if not isinstance(owner, Inert) or not isinstance(owner.state, dict):
            return UNKNOWN
        self.code.body(owner)
        if name == "training":
            return False  # a module is evaluated in evaluation mode, in whichever it was saved
        return owner.state[name]

    def called(self, expression: ast.Call, scope: dict[str, object]) -> object:
        dotted = dotted_name(expression.func)
        namespace, _, word = dotted.rpartition(".")
        of_torch = namespace in ("torch", "ops.aten", "ops.prim", "") and dotted.partition(".")[0] not in scope
        if of_torch and word in ("annotate", "unchecked_cast"):
            return self.value(expression.args[1], scope)
        if of_torch and word == "uninitialized":
            return UNKNOWN
        if of_torch and word == "isinstance":
            return is_instance(self.value(expression.args[0], scope), ast.unparse(expression.args[1]))
        operands = [self.value(argument, scope) for argument in expression.args]
        named = {str(keyword.arg): self.value(keyword.value, scope) for keyword in expression.keywords}
        self.spend(len(flattened(operands)))
        if of_torch and word == "RaiseException":
            raise NotFollowed("forward raises an error")
        if of_torch and word == "getattr":
            return self.member(operands[0], operands[1])
        if of_torch:
            return self.steps.operate(word, operands, named)
        if isinstance(expression.func, ast.Attribute) and not dotted.startswith("__torch__."):
            owner = self.value(expression.func.value, scope)
            if not isinstance(owner, Inert):
                raise NotFollowed(f"a call of {ast.unparse(expression.func)}")
            return self.call(self.code.method(owner, expression.func.attr), operands, named)
        function = self.value(expression.func, scope)
        if not isinstance(function, ScriptFunction):
            raise NotFollowed(f"a call of {dotted}")
        return self.call(function, operands, named)


def _raises(statements: list[ast.stmt]) -> bool:
    """Whether the last statement is a ``raise``."""
    match statements[-1:]:
        case [ast.Expr(ast.Call(function))]:
            return dotted_name(function) == "ops.prim.RaiseException"
    return False
