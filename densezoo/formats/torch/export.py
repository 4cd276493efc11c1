"""``torch.export.save`` archives (``.pt2``): raw weights and a graph in JSON (torch/_export/serde/schema.py).

Nothing in them is executed; a sample input or a custom object, which would be pickled, is not read.
"""

from __future__ import annotations

from math import prod

from torch import Tensor

from densezoo.errors import FormatError
from densezoo.formats.binary import BFLOAT16, cut, item_size, to_tensor
from densezoo.formats.containers.json import parse_json
from densezoo.formats.containers.zip import Archive
from densezoo.formats.limits import MAX_DIMENSIONS, MAX_JSON, MAX_STEPS
from densezoo.formats.torch import aten
from densezoo.types import Checkpoint, JsonObject, Node

_DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?", 13: BFLOAT16}


def read_torchexport(archive: Archive, root: str) -> Checkpoint:
    """The parameters and buffers of an exported program, and its steps.

    Args:
        archive: the zip archive.
        root: the folder of all members in it.

    Raises:
        FormatError: broken; weights that are pickled; a graph with steps that densezoo doesn't know.
    """
    path = str(archive.path)
    try:
        described = _json(archive, f"{root}/data/weights/model_weights_config.json")["config"]
        graph = _graph(_json(archive, f"{root}/models/model.json")["graph_module"])
        tensors = {name: _tensor(archive, root, name, entry) for name, entry in described.items()}
        return Checkpoint(path, "torch-export", tensors, graph=graph)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error) if type(error) is ValueError else repr(error)
        raise FormatError(
            f"{path}: no exported program, or not of a kind or version that densezoo reads ({reason:.160})"
        ) from None


def _json(archive: Archive, name: str) -> JsonObject:
    data = archive.read(name)
    text = bytes(cut(data, 0, min(len(data), MAX_JSON + 1), name).read())
    parsed: JsonObject = parse_json(text, f"{archive.path}: {name}", len(archive.data))
    return parsed


def _tensor(archive: Archive, root: str, name: str, entry: JsonObject) -> Tensor:
    error_prefix = f"{archive.path}: {name}"
    if entry["use_pickle"]:
        raise FormatError(f"{error_prefix}: is pickled; save the program with a newer torch")
    meta = entry["tensor_meta"]
    dtype = _DTYPES.get(meta["dtype"])
    shape, strides = ([side["as_int"] for side in meta[key]] for key in ("sizes", "strides"))
    if len(shape) > MAX_DIMENSIONS:
        raise FormatError(f"{error_prefix}: has {len(shape):,} sides; expected at most {MAX_DIMENSIONS}")
    contiguous = [prod(shape[i + 1 :]) for i in range(len(shape))]
    if dtype is None or any(a != b for a, b, side in zip(strides, contiguous, shape) if side > 1):
        raise FormatError(f"{error_prefix}: is no contiguous array of numbers")
    data = archive.read(f"{root}/data/weights/{entry['path_name']}")
    if min(shape, default=0) < 0:
        raise FormatError(f"{error_prefix}: has a side of {min(shape)}")
    start = meta["storage_offset"]["as_int"] * item_size(dtype)
    return to_tensor(cut(data, start, prod(shape) * item_size(dtype), error_prefix), dtype, shape, error_prefix)


def _graph(module: JsonObject) -> tuple[Node, ...]:
    """The steps; a tensor that an operator changes in place is that operator's result from then on."""
    weights = {
        spec["arg"]["name"]: spec.get("parameter_name") or spec["buffer_name"]
        for entry in module["signature"]["input_specs"]
        for kind, spec in entry.items()
        if kind in ("parameter", "buffer")
    }
    if len(module["graph"]["nodes"]) > MAX_STEPS:
        raise ValueError(f"its graph has {len(module['graph']['nodes']):,} steps")
    names = [argument["as_tensor"]["name"] for argument in module["graph"]["inputs"] if "as_tensor" in argument]
    steps = {name: Node("input", name, ()) for name in names if name not in weights}
    current = {name: name for name in steps}
    shared: set[str] = set()
    transposed: dict[str, str] = {}
    for node in module["graph"]["nodes"]:
        operator = _operator(node)
        step = _step(node, current, weights, transposed)
        if operator in aten.TRANSPOSITIONS and not step.inputs:
            values = [next(iter(argument["arg"].values())) for argument in node["inputs"][1:]]
            if aten.transposes(operator, values):
                transposed[step.name] = step.weights[0]
            continue
        steps[step.name] = step
        current[step.name] = step.name
        changed = node["inputs"][0]["arg"]["as_tensor"]["name"] if operator.endswith("_") else None
        if changed in shared:
            raise ValueError(f"{operator} changes what other tensors see")
        if changed is not None:
            current[changed] = step.name
        if step.op in ("flatten", "identity"):  # the result and what it is made of may share their numbers
            shared |= {step.name, *step.inputs}
    results = [
        spec["user_output"]["arg"]["as_tensor"]["name"]
        for spec in module["signature"]["output_specs"]
        if "user_output" in spec
    ]
    if len(results) != 1:
        raise ValueError(f"it returns {len(results)} tensors, not one")
    return aten.reached(steps, current[results[0]])


def _operator(node: JsonObject) -> str:
    return str(node["target"]).removeprefix("torch.ops.aten.").partition(".")[0]


def _step(node: JsonObject, current: dict[str, str], weights: dict[str, str], transposed: dict[str, str]) -> Node:
    operator = _operator(node)
    values: JsonObject = {}
    tensors: dict[str, list[str]] = {}
    for argument in node["inputs"]:
        ((kind, value),) = argument["arg"].items()
        values[argument["name"]] = None if kind == "as_none" else value
        if kind in ("as_tensor", "as_tensors"):
            tensors[argument["name"]] = [tensor["name"] for tensor in (value if kind == "as_tensors" else [value])]
    values, tensors = aten.renamed(operator, values), aten.renamed(operator, tensors)
    op, attributes = aten.node_terms(operator, values)
    output = node["outputs"][0]
    name = output["as_tensor"]["name"] if "as_tensor" in output else output["as_tensors"][0]["name"]
    operands = [tensor for names in tensors.values() for tensor in names]
    inputs = tuple(current[tensor] for tensor in operands if tensor in current)
    used = tuple(weights[tensor] for tensor in operands if tensor in weights)
    if aten.known(operator):
        matrices = transposed if operator == "addmm" else weights
        sources = {role: weights if role != "weight" else matrices for role in aten.WEIGHTS}
        strange = [tensor for role in tensors for tensor in tensors[role] if tensor not in sources.get(role, current)]
        used = tuple(sources[role][name] for role in aten.WEIGHTS for name in tensors.get(role, ()) if not strange)
        op = f"{operator} of values that are computed" if strange else op
    return Node(op, name, inputs, attributes, used)
