"""TorchScript archives: the module tree is a pickle, its code is text; neither is executed.

Format: torch/csrc/jit/serialization (data.pkl names classes ``__torch__...``; ``code/`` holds them in Python's syntax).
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.archive import Archive
from densezoo.formats.pickled import Inert
from densezoo.formats.pytorch import Deferred, build_all, byteorder, harmless, load_pickle
from densezoo.types import Checkpoint

MAX_CODE = 4 << 20
#: Modules of torch.nn whose part in a DenseNet is known; another one means another function.
KNOWN_MODULES = {
    "Sequential", "ModuleList", "ModuleDict", "Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "AvgPool2d",
    "AdaptiveAvgPool2d", "Linear", "Dropout", "Dropout2d", "Identity", "Flatten",
}  # fmt: skip
_NN_MODULE = re.compile(r"__torch__\.torch\.nn\.modules\.\w+\.(?:___torch_mangle_\d+\.)?(\w+)")


def read_torchscript(archive: Archive, root: str) -> Checkpoint:
    """The state of a scripted or traced module.

    Raises:
        FormatError: broken; frozen (its norms are folded away); with modules or pooling that no DenseNet has.
    """
    path = archive.path
    content = load_pickle(
        path,
        archive.read(f"{root}/data.pkl"),
        allows=lambda name: name.startswith("__torch__.") or harmless(name),
    )
    deferred, modules = _flatten(content)
    if not deferred:
        raise FormatError(
            f"{path}: a TorchScript file without a readable state (frozen: its norms are folded into the "
            "convolutions); save the module before torch.jit.freeze"
        )
    strange = sorted(set(modules.values()) - KNOWN_MODULES)
    if strange:
        raise FormatError(f"{path}: a TorchScript module with {', '.join(strange)}, which no DenseNet of densezoo has")
    order = byteorder(archive, root)
    tensors = build_all(path, deferred, lambda key: archive.read(f"{root}/data/{key}"), order)
    semantics = _semantics(archive, root, modules)
    return Checkpoint(str(path), "torchscript", tensors, semantics=semantics)


def _flatten(content: Any) -> tuple[dict[str, Deferred], dict[str, str]]:
    """({dotted name: tensor}, {dotted name: class of torch.nn}) of a tree of modules."""
    tensors, modules = {}, {}
    todo, seen = [("", content)], set()
    while todo:
        name, item = todo.pop()
        if isinstance(item, Deferred):
            tensors[name] = item
        elif isinstance(item, Inert) and isinstance(item.state, dict) and id(item) not in seen:
            seen.add(id(item))
            kind = _NN_MODULE.fullmatch(item.name)
            if kind:
                modules[name] = kind[1]
            todo += [(f"{name}.{key}" if name else str(key), value) for key, value in reversed(item.state.items())]
    return tensors, modules


def _semantics(archive: Archive, root: str, modules: dict[str, str]) -> dict[str, object]:
    """What the code says: the epsilon, the pools."""
    calls = _literal_calls(archive, root)
    found: dict[str, object] = {}
    for arguments in calls["batch_norm"]:
        for eps in [value for value in arguments if type(value) is float][-1:]:  # momentum comes before it
            _agree(archive, found, "bn_eps", eps)
    for kind in ("max_pool2d", "avg_pool2d"):
        for kernel, stride, pads, *rest in (arguments for arguments in calls[kind] if len(arguments) >= 4):
            ceil_mode = rest[1] if kind == "max_pool2d" and len(rest) > 1 else rest[0]
            _agree(archive, found, "ceil_mode", bool(ceil_mode))
            _known_pool(archive, found, kind, kernel, stride, pads)
    kinds = {kind for name, kind in modules.items() if re.search(r"trans(ition)?\d+\.pool$", name)}
    for kind in kinds & {"MaxPool2d", "AvgPool2d"}:
        _agree(archive, found, "transition_pool", {"MaxPool2d": "max", "AvgPool2d": "avg"}[kind])
    return found


def _known_pool(
    archive: Archive, found: dict[str, object], kind: str, kernel: object, stride: object, pads: object
) -> None:
    if (kernel, pads) == ([2, 2], [0, 0]) and stride in ([2, 2], []):
        return
    if kind == "max_pool2d" and (kernel, stride, pads) == ([3, 3], [2, 2], [1, 1]):
        return
    if kind == "avg_pool2d" and isinstance(kernel, list) and len(set(kernel)) == 1 and pads == [0, 0]:
        _agree(archive, found, "head_pool", kernel[0])
        return
    raise FormatError(f"{archive.path}: its code pools by {kind}({kernel}, {stride}, {pads}), as no DenseNet does")


def _agree(archive: Archive, found: dict[str, object], field: str, value: object) -> None:
    if found.setdefault(field, value) != value:
        raise FormatError(f"{archive.path}: its code has {field} {found[field]} and {value}; expected one for all")


def _literal_calls(archive: Archive, root: str) -> dict[str, list[list[Any]]]:
    """{function: [the literal arguments of each call that has some]} over all the code."""
    calls: dict[str, list[list[Any]]] = defaultdict(list)
    names = [name for name in archive.members if name.startswith(f"{root}/code/") and name.endswith(".py")]
    if sum(archive.members[name].file_size for name in names) > MAX_CODE:
        raise FormatError(f"{archive.path}: more than {MAX_CODE:,} bytes of TorchScript code; no DenseNet has that")
    for name in names:
        try:
            tree = ast.parse(bytes(archive.read(name)).replace(b"^", b""))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise FormatError(f"{archive.path}: {name} is no TorchScript code ({error})") from None
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            _collect(function, calls)
    return calls


def _collect(function: ast.FunctionDef, calls: dict[str, list[list[Any]]]) -> None:
    aliases: dict[str, str] = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            aliases[node.targets[0].id] = ast.unparse(node.value)
    for node in ast.walk(function):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            literals = [value for argument in node.args for value in _literal(argument)]
            calls[aliases.get(name, name).rpartition(".")[2].removeprefix("_")] += [literals] if literals else []


def _literal(node: ast.expr) -> list[Any]:
    try:
        return [ast.literal_eval(node)]
    except ValueError:
        return []
