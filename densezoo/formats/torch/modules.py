"""A whole ``nn.Module`` that was pickled (``torch.save(model)``), as data: its tensors, and what its layers say.

Format: torch/nn/modules/module.py (Module.__getstate__). The code of a module's ``forward`` is not in the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from densezoo.errors import FormatError
from densezoo.formats.containers.pickle_values import Array, Inert
from densezoo.formats.torch.tensors import ASK, Deferred, Stateful

_LAYERS = "torch.nn.modules."
_PLAIN_CONV = {"dilation": ((1, 1),), "groups": (1,), "transposed": (False,), "padding_mode": ("zeros",)}
_POOL = {"ceil_mode": (False,), "dilation": (1, (1, 1)), "return_indices": (False,), "divisor_override": (None,)}
#: {layer of torch's that this reader follows: {attribute: the values that it follows}}; absent: the usual value. Others
#: are refused, since the tensors alone would not say what such a layer computes.
LAYERS: Mapping[str, Mapping[str, tuple[object, ...]]] = {
    "conv.Conv2d": _PLAIN_CONV,
    "batchnorm.BatchNorm2d": {"affine": (True,), "track_running_stats": (True,)},
    "linear.Linear": {},
    "pooling.AvgPool2d": {**_POOL, "padding": (0, (0, 0))},
    "pooling.MaxPool2d": {**_POOL, "kernel_size": (3, (3, 3)), "stride": (2, (2, 2)), "padding": (1, (1, 1))},
    "pooling.AdaptiveAvgPool2d": {"output_size": (1, (1, 1))},
    "activation.ReLU": {},
    "linear.Identity": {},
    "dropout.Dropout": {},
    "dropout.Dropout2d": {},
    "flatten.Flatten": {"start_dim": (1,), "end_dim": (-1,)},
    "container.Sequential": {},
    "container.ModuleList": {},
    "container.ModuleDict": {},
}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
MAX_MODULES = 16_000  # a network of 264 layers has 1,100


def is_module(value: object) -> bool:
    """Whether this is what a pickled ``nn.Module`` would have become."""
    return type(value) is Inert and isinstance(value.state, Mapping) and "_modules" in value.state


def module_tensors(path: Path, root: Inert) -> tuple[dict[str, Stateful], dict[str, object]]:
    """({name: tensor}, {field of an architecture: its value}) of a pickled module.

    Args:
        path: the file, for messages.
        root: the module.

    Raises:
        FormatError: a layer that this reader doesn't follow, or one with other attributes; hooks; no tensors.
    """
    tensors: dict[str, Stateful] = {}
    epsilons = set()
    for name, module in _walk(path, root):
        state, kind = module.state, module.name.removeprefix(_LAYERS)
        _refuse_unusual(path, name, module)
        own = {**_mapping(state.get("_parameters")), **_mapping(state.get("_buffers"))}
        held = {param: value for param, value in own.items() if value is not None}
        if held and (kind == module.name or kind not in LAYERS):
            raise _refusal(path, name, f"a {module.name} with the tensors {', '.join(map(str, held))}")
        if not all(isinstance(value, (Deferred, Array)) for value in held.values()):
            raise _refusal(path, name, f"a {module.name} whose parameters are no tensors")
        tensors |= {f"{name}.{param}".lstrip("."): value for param, value in held.items()}
        if kind == "batchnorm.BatchNorm2d":
            epsilons.add(state.get("eps", 1e-5))
    if not tensors:
        raise FormatError(f"{path}: a pickled {root.name} without a tensor; {ASK}")
    if len(epsilons) > 1:
        raise FormatError(f"{path}: norms of several epsilons, {', '.join(map(str, sorted(epsilons)))}; expected one")
    return tensors, dict.fromkeys(["bn_eps"] if epsilons else [], next(iter(epsilons), None))


def _walk(path: Path, root: Inert) -> Iterator[tuple[str, Inert]]:
    """(name, module) of a module and all in it; a loop, for a file may nest deeper than Python recurses."""
    todo, count = [("", root)], 0
    while todo:
        name, module = todo.pop()
        count += 1
        if count > MAX_MODULES:
            raise FormatError(f"{path}: a pickled module of more than {MAX_MODULES:,} modules is no checkpoint")
        yield name, module
        children = _mapping(module.state.get("_modules"))
        for child, inner in reversed(list(children.items())):
            if is_module(inner):
                todo.append((f"{name}.{child}".lstrip("."), inner))
            elif inner is not None:
                raise _refusal(path, f"{name}.{child}".lstrip("."), "something that is no module")


def _refuse_unusual(path: Path, name: str, module: Inert) -> None:
    """Refuse hooks, a layer of torch's that is not in LAYERS, and one whose attributes give another function."""
    state, kind = module.state, module.name.removeprefix(_LAYERS)
    hooks = [hook for hook in _HOOKS if state.get(hook)]
    if hooks:
        raise _refusal(path, name, f"a {module.name} with {hooks[0].strip('_')}, which are code")
    if kind == module.name:  # a class of the publisher's, or a wrapper
        return
    if kind not in LAYERS:
        raise _refusal(path, name, f"a {module.name}")
    usual = dict(LAYERS[kind])
    if kind == "conv.Conv2d":
        kernel = state.get("kernel_size")
        sides = kernel if isinstance(kernel, tuple) and len(kernel) == 2 else (0, 0)
        usual |= {"padding": ((sides[0] // 2, sides[1] // 2),), "stride": ((2, 2) if sides == (7, 7) else (1, 1),)}
    for attribute, values in usual.items():
        if attribute in state and state[attribute] not in values:
            raise _refusal(path, name, f"a {module.name} with {attribute} {state[attribute]!r:.40}")


def _mapping(value: object) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}


def _refusal(path: Path, name: str, found: str) -> FormatError:
    return FormatError(
        f"{path}: a whole module was pickled; at {name or 'its root'}: expected torch's layers of convolutional "
        f"networks with their usual attributes, found {found}; {ASK}"
    )
