"""The code in a TorchScript archive: files of classes and functions, parsed and not run.

It is a small part of Python (torch/csrc/jit/serialization/python_print.cpp).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from densezoo.formats.containers.pickle_values import Inert
from densezoo.formats.containers.zip import Archive

MAX_CODE = 4 << 20  # bytes of one archive's code; the largest network's takes 0.7 MB
#: Words and signs of the code, each of which takes up to 700 bytes of memory when it is parsed: so many, and one more
#: for so many bytes of the file, up to so many. The largest network has 140,000 in 290 MB.
MAX_WORDS, BYTES_PER_WORD, MOST_WORDS = 80_000, 256, 160_000
_WORD = re.compile(rb"\w+|[^\w\s]")
_HOOKS = ("__forward_pre_hooks__", "__forward_hooks__")


class NotFollowed(Exception):
    """Raised for code outside the supported subset; the caller adds file and line."""


@dataclass(frozen=True)
class ScriptFunction:
    """A function or method of the code, and the module that a method is bound to."""

    file: str
    definition: ast.FunctionDef
    owner: Inert | None = None


@dataclass
class Code:
    """The classes and functions of an archive.

    Args:
        archive: the zip archive.
        root: the folder of all members in it.
        files: {file of the code: its `definitions`}, of those that were read.
        checked: names of the classes that `body` has checked.
        size, words: of the code that was read: bytes; words and signs.

    Raises:
        FormatError: there is no such file in the archive. All methods raise it.
        NotFollowed: no such class or function; too much code; code that changes what is loaded. All methods raise it.
    """

    archive: Archive
    root: str
    files: dict[str, dict[str, ast.stmt]] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)
    size: int = 0
    words: int = 0

    def definitions(self, file: str) -> dict[str, ast.stmt]:
        """{name: class or function} of a file of the code, such as ``__torch__.torch.nn``."""
        if file not in self.files:
            stored = self.archive.read(f"{self.root}/code/{file.replace('.', '/')}.py")
            self.size += len(stored)
            source = bytes(stored.read()) if self.size <= MAX_CODE else b""
            self.words += sum(1 for _ in _WORD.finditer(source))
            most = min(MAX_WORDS + len(self.archive.data) // BYTES_PER_WORD, MOST_WORDS)
            if self.size > MAX_CODE or self.words > most:
                raise NotFollowed(f"{self.size:,} bytes of code")
            try:
                tree = ast.parse(source.replace(b"^", b""))
            except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
                raise NotFollowed(f"{file} can't be parsed ({error})") from None
            items = [item for item in tree.body if isinstance(item, (ast.ClassDef, ast.FunctionDef))]
            self.files[file] = {item.name: item for item in items}
            if len(self.files[file]) < len(items):
                raise NotFollowed(f"{file} defines a name twice")
        return self.files[file]

    def function(self, qualified: str) -> ScriptFunction:
        """The function of this name, the file included: ``__torch__.torch.nn.relu``."""
        file, _, name = qualified.rpartition(".")
        definition = self.definitions(file).get(name)
        if not isinstance(definition, ast.FunctionDef):
            raise NotFollowed(f"there is no function {qualified}")
        return ScriptFunction(file, definition)

    def body(self, module: Inert) -> list[ast.stmt]:
        """The statements in a module's class; refuses one with code that torch runs beside its methods."""
        file, _, kind = module.name.rpartition(".")
        definition = self.definitions(file).get(kind)
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for item in body if module.name not in self.checked else ():
            match item:
                case ast.FunctionDef("__setstate__"):
                    raise NotFollowed(f"{module.name} changes what is loaded (__setstate__)")
                case ast.Assign([ast.Name(name)], ast.List([_, *_])) if name in _HOOKS:
                    raise NotFollowed(f"{module.name} has {name}")
        self.checked.add(module.name)
        return body

    def has_methods(self, module: Inert) -> bool:
        """Whether a module's class has any; what LibTorch saves from C++ or Rust has tensors alone."""
        return any(isinstance(item, ast.FunctionDef) for item in self.body(module))

    def method(self, module: Inert, name: str) -> ScriptFunction:
        """A module's method of this name."""
        for item in self.body(module):
            if isinstance(item, ast.FunctionDef) and item.name == name:
                return ScriptFunction(module.name.rpartition(".")[0], item, module)
        raise NotFollowed(f"{module.name} has no method {name}")


def dotted_name(expression: ast.expr) -> str:
    """The text of an expression ``a.b.c``; empty for any other expression."""
    parts = []
    while isinstance(expression, ast.Attribute):
        parts.append(expression.attr)
        expression = expression.value
    return ".".join([expression.id, *reversed(parts)]) if isinstance(expression, ast.Name) else ""
