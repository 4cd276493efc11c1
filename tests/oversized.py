"""Files of each format with more in them than any DenseNet has: many tensors, deep nesting, long names."""

from __future__ import annotations

import io
import json
import pickle
import struct
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import torch
from hdf5_writer import write_model
from torch7_writer import Obj, Sto, Ten, dumps

#: Names of a network with so many layers in a block.
LAYER = "features.denseblock1.denselayer{}.conv1.weight"


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def npy(header: str) -> bytes:
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + np.arange(6, dtype=np.float32).tobytes()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def safetensors(header: Mapping[str, object], data: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def empty_safetensors(count: int, name: str = "t{}") -> bytes:
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    return safetensors({name.format(i): entry for i in range(count)})


def layers_of_safetensors(count: int) -> bytes:
    """A block of so many layers, each a kernel of one number."""
    header = {
        LAYER.format(i + 1): {"dtype": "F32", "shape": [1, 1, 1, 1], "data_offsets": [4 * i, 4 * i + 4]}
        for i in range(count)
    }
    return safetensors(header, bytes(4 * count))


def pytorch(count: int, zipped: bool = True, name: str = LAYER) -> bytes:
    buffer, kernel = io.BytesIO(), torch.zeros(1, 1, 1, 1)
    content = {name.format(i + 1): kernel for i in range(count)}
    torch.save(content, buffer, _use_new_zipfile_serialization=zipped)
    return buffer.getvalue()


def deep_pickle(depth: int) -> bytes:
    return zipped({"m/data.pkl": b"\x80\x02" + b"]" * depth + b"a" * (depth - 1) + b"."})


def paddle(count: int) -> bytes:
    kernel = np.zeros((1, 1, 1, 1), np.float32)
    return pickle.dumps({LAYER.format(i + 1): kernel for i in range(count)}, protocol=4)


def mindspore(count: int) -> bytes:
    tensor = b"\x08\x01" * 4 + field(2, b"Float32") + field(3, bytes(4))
    return b"".join(field(1, field(1, LAYER.format(i + 1).encode()) + field(2, tensor)) for i in range(count))


def mindspore_parts(count: int) -> bytes:
    """One tensor in so many parts, each of which says a shape of many sides."""
    tensor = b"\x08\x7f" * 300 + field(2, b"Float32") + field(3, bytes(4))
    return field(1, field(1, b"w") + field(2, tensor)) * count


def caffe(count: int) -> bytes:
    blob = field(7, field(5, bytes(4)) + field(7, b"\x08\x01"))
    layer = field(2, b"Convolution") + blob + field(3, b"a") + field(4, b"a")
    return field(1, b"net") + b"".join(field(100, field(1, str(i).encode()) + layer) for i in range(count))


def caffe_blobs(count: int) -> bytes:
    return field(1, b"net") + field(100, field(1, b"a") + field(7, b"") * count)


def onnx(initializers: int, nodes: int) -> bytes:
    tensor = b"\x08\x01" * 4 + b"\x10\x01" + field(8, b"w") + field(9, bytes(4))
    node = field(1, b"x") + field(1, b"w") + field(2, b"x") + field(4, b"Conv")
    graph = field(1, node) * nodes + field(5, tensor) * initializers + field(11, field(1, b"x"))
    return b"\x08\x08" + field(7, graph)


def onnx_chain(count: int) -> bytes:
    """Constants of constants, each with a side more."""
    axes = field(5, field(1, b"axes") + b"\x40\x00")
    nodes = (
        field(1, field(1, f"c{i}".encode()) + field(2, f"c{i + 1}".encode()) + field(4, b"Unsqueeze") + axes)
        for i in range(count)
    )
    tensor = field(5, b"\x10\x01" + field(8, b"c0") + field(9, bytes(4)))
    return b"\x08\x08" + field(7, b"".join(nodes) + tensor + field(11, field(1, b"x")))


def onnx_sides(count: int) -> bytes:
    """A weight of so many sides."""
    tensor = b"\x08\xff\xff\xff\xff\x7f" * count + b"\x10\x01" + field(8, b"w") + field(9, bytes(4))
    node = field(1, b"x") + field(1, b"w") + field(2, b"y") + field(4, b"Conv")
    return b"\x08\x08" + field(7, field(1, node) + field(5, tensor) + field(11, field(1, b"x")))


def mxnet(count: int) -> bytes:
    array = struct.pack("<IiI4qiii", 0xF993FAC9, 0, 4, 1, 1, 1, 1, 1, 0, 0) + bytes(4)
    names = b"".join(struct.pack("<Q", len(str(i))) + str(i).encode() for i in range(count))
    return struct.pack("<QQQ", 0x112, 0, count) + array * count + struct.pack("<Q", count) + names


def npz(count: int, name: str = "t{}") -> bytes:
    array = npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}")
    return zipped({f"{name.format(i)}.npy": array for i in range(count)})


def npz_of_one_member(count: int, size: int) -> bytes:
    """So many names of one array."""
    data = bytearray(npz(count, "{:05}"))
    return bytes(data[: len(data) - 22]) + bytes(size) + bytes(data[-22:])


def torch7(count: int) -> bytes:
    storage = Sto("Float", np.zeros(1, np.float32))
    return dumps({float(i): Ten("Float", (1,), (1,), 0, storage) for i in range(1, count + 1)})


def torch7_modules(count: int, **options: object) -> bytes:
    modules = {float(i): Obj("nn.ReLU", {}) for i in range(1, count + 1)}
    return dumps(Obj("nn.Sequential", {"modules": modules}), **options)


def torchexport(description: bytes) -> bytes:
    weights = b'{"config": {}}'
    return zipped({"m/models/model.json": description, "m/data/weights/model_weights_config.json": weights})


def torchexport_steps(count: int) -> bytes:
    node = {"target": "torch.ops.aten.relu.default", "inputs": [], "outputs": [{"as_tensor": {"name": "a"}}]}
    graph = {"inputs": [], "nodes": [node] * count}
    signature: dict[str, object] = {"input_specs": [], "output_specs": []}
    return torchexport(json.dumps({"graph_module": {"graph": graph, "signature": signature}}).encode())


def keras(config: bytes) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        with h5py.File(Path(folder, "m.h5"), "w") as file:
            file.create_group("layers")
        return zipped({"config.json": config, "model.weights.h5": Path(folder, "m.h5").read_bytes()})


def keras_of_many_inputs(count: int) -> bytes:
    """A layer that takes a list of lists of lists."""
    calls: list[object] = [[]] * count
    layers = [{"class_name": "Add", "name": "a", "config": {"name": "a"}, "inbound_nodes": calls}]
    return keras(json.dumps({"class_name": "Functional", "config": {"layers": layers}}).encode())


def hdf5(layers: int, libver: str | None) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write_model(Path(folder, "m.h5"), libver, track_order=False, layers=layers)
        return Path(folder, "m.h5").read_bytes()


WRITERS: dict[str, Callable[[], bytes]] = {
    "safetensors of 100,000 empty tensors": lambda: empty_safetensors(100_000),
    "safetensors of 300,000 empty tensors": lambda: empty_safetensors(300_000),
    "safetensors of 15,000 empty tensors": lambda: empty_safetensors(15_000),
    "safetensors of 15,000 layers": lambda: layers_of_safetensors(15_000),
    "safetensors with long names": lambda: empty_safetensors(400, "t{}" + "a.b" * 5_000),
    "safetensors of a deep list": lambda: struct.pack("<Q", 5 << 20) + b'{"a":' + b"[" * ((5 << 20) - 5),
    "safetensors of many sides": lambda: safetensors(
        {"a": {"dtype": "F32", "shape": [9**99] * 50_000, "data_offsets": [0, 0]}}
    ),
    "npz of 20,000 members": lambda: npz(20_000),
    "npz of 15,000 members": lambda: npz(15_000),
    "npz of 15,000 layers": lambda: npz(15_000, "block1/{}/conv1/W"),
    "pytorch of 15,000 layers": lambda: pytorch(15_000),
    "pytorch, legacy, of 15,000 layers": lambda: pytorch(15_000, zipped=False),
    "pytorch of 50,000 layers": lambda: pytorch(50_000),
    "pytorch of 12,000 layers in another's names": lambda: pytorch(12_000, name="block1.layer.{}.conv1.weight"),
    "pytorch of a deep list": lambda: deep_pickle(5_700_000),
    "pytorch of a list of 290,000 levels": lambda: deep_pickle(149_000),
    "paddle of 15,000 arrays": lambda: paddle(15_000),
    "mindspore of 15,000 tensors": lambda: mindspore(15_000),
    "mindspore of 100,000 tensors": lambda: mindspore(100_000),
    "mindspore of many parts": lambda: mindspore_parts(8_000),
    "caffe of 15,000 layers": lambda: caffe(15_000),
    "caffe of 140,000 blobs": lambda: caffe_blobs(140_000),
    "onnx of 100,000 tensors": lambda: onnx(100_000, 1),
    "onnx of 25,000 steps": lambda: onnx(1, 25_000),
    "onnx of 100,000 steps": lambda: onnx(1, 100_000),
    "onnx of a chain": lambda: onnx_chain(15_000),
    "onnx of many sides": lambda: onnx_sides(140_000),
    "mxnet of 15,000 arrays": lambda: mxnet(15_000),
    "mxnet of 200,000 arrays": lambda: mxnet(200_000),
    "torch7 of 60,000 tensors": lambda: torch7(60_000),
    "torch7 of 60,000 modules": lambda: torch7_modules(60_000),
    "torch7, text, of 60,000 modules": lambda: torch7_modules(60_000, ascii=True),
    "torch-export of 60,000 steps": lambda: torchexport_steps(60_000),
    "torch-export of 9,000 steps": lambda: torchexport_steps(9_000),
    "torch-export of a deep list": lambda: torchexport(b"[" * (6 << 20)),
    "torch-export of a wide list": lambda: torchexport(b"[" + b"[]," * (2 << 20) + b"[]]"),
    "hdf5 of 3,500 layers": lambda: hdf5(3500, None),
    "hdf5, latest, of 3,500 layers": lambda: hdf5(3500, "latest"),
    "keras of a deep list": lambda: keras(b"[" * (6 << 20)),
    "keras of a wide list": lambda: keras(b"[" + b"[]," * 60_000 + b"[]]"),
    "keras of 90,000 inputs": lambda: keras_of_many_inputs(90_000),
}
