from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import hashlib
import os
import socket
import struct
import zipfile
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmengine.config import ConfigDict
from safetensors.torch import save_file
from torch import nn
from torch.optim.swa_utils import AveragedModel

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.identity import file_sha256
from densezoo.formats.safetensors import write_safetensors
from densezoo.formats.torch.files import _count_tensors

FORMATS = Path(__file__).resolve().parents[1] / "fixtures" / "formats"
TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


def same(found: object, expected: dict[str, torch.Tensor]) -> bool:
    assert isinstance(found, dict)
    return found.keys() == expected.keys() and all(torch.equal(found[k], v) for k, v in expected.items())


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("name", ["model.pth", "model.pth.tar", "model"])
def test_pytorch(tmp_path: Path, zipped: bool, name: str) -> None:
    torch.save(OrderedDict(TENSORS), tmp_path / name, _use_new_zipfile_serialization=zipped)
    checkpoint = read_checkpoint(tmp_path / name)
    assert checkpoint.format == "pytorch"
    assert same(checkpoint.tensors, TENSORS)
    assert not checkpoint.dropped


def test_safetensors(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "model.pth", metadata={"format": "pt"})  # content counts, not the name
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    assert checkpoint.format == "safetensors"
    assert checkpoint.metadata == {"format": "pt"}
    assert same(checkpoint.tensors, TENSORS)


@pytest.mark.parametrize("entry", ["state_dict", "state_dict_ema", "model", "model_state_dict", "net"])
def test_wrappers(tmp_path: Path, entry: str) -> None:
    moments = {"state": {0: {"momentum_buffer": torch.zeros(3)}, 1: {"momentum_buffer": torch.zeros(2)}}}
    wrapper = {"epoch": 3, "optimizer": moments, "args": argparse.Namespace(lr=0.1), entry: TENSORS}
    torch.save(wrapper, tmp_path / "last.pth.tar")
    checkpoint = read_checkpoint(tmp_path / "last.pth.tar")
    assert same(checkpoint.tensors, TENSORS)
    assert checkpoint.dropped == {"optimizer": 2}
    assert checkpoint.metadata == {"entry": entry}


def test_averaged_weights_come_first(tmp_path: Path) -> None:
    averaged = {name: tensor + 1 for name, tensor in TENSORS.items()}
    torch.save({"state_dict": TENSORS, "state_dict_ema": averaged}, tmp_path / "last.pth.tar")
    checkpoint = read_checkpoint(tmp_path / "last.pth.tar")
    assert same(checkpoint.tensors, averaged)
    assert checkpoint.dropped == {"state_dict": 2}


KERNELS = {"conv.weight": torch.ones(2, 2, 3, 3)}


@pytest.mark.parametrize(
    ("content", "entry", "others"),
    [
        ({"generator": KERNELS, "epoch": 3}, "generator", ""),
        ({"checkpoint": {"model": KERNELS, "step": 3}, "loss": {"weight": torch.ones(5)}}, "checkpoint.model", ""),
        ({"model": {}, "model_ema": KERNELS}, "model_ema", ""),
        ({"state_dict": KERNELS, "discriminator": {"a": torch.ones(1, 1, 1, 1)}}, "state_dict", "discriminator"),
    ],
)
def test_the_weights_are_found_in_a_wrapper(
    tmp_path: Path, content: dict[str, object], entry: str, others: str
) -> None:
    torch.save(content, tmp_path / "model.pth")
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    assert checkpoint.tensors.keys() == KERNELS.keys()
    assert checkpoint.metadata == {"entry": entry}
    assert checkpoint.hints == ((f"the weights are the entry {entry}; not used: {others}",) if others else ())


AVERAGED = "model_ema state_dict_ema ema ema_model ema_state_dict model_ema_state swa swa_state_dict averaged_model"


def averaged_beside_raw() -> dict[str, tuple[dict[str, object], str]]:
    """{what: (the file's content, the entry of the averaged weights)}; averages are ones, raw weights zeros."""
    raw, average = nn.Conv2d(2, 2, 3), nn.Conv2d(2, 2, 3)
    nn.init.zeros_(raw.weight)
    nn.init.ones_(average.weight)
    wrapped = AveragedModel(average)
    cases = {name: ({"model": raw.state_dict(), name: wrapped.state_dict()}, name) for name in AVERAGED.split()}
    kept = {"module": average.state_dict(), "updates": 3}
    mmengine = {"meta": {"mmengine_version": "0.10.7"}, "state_dict": average.state_dict()}
    return {
        **{name: (dict(content), entry) for name, (content, entry) in cases.items()},
        "an entry in an entry": ({"model": raw.state_dict(), "ema": kept}, "ema.module"),
        "an entry of an entry": ({"state": {"model": raw.state_dict(), "ema": average.state_dict()}}, "state.ema"),
        "MMEngine's": ({**mmengine, "ema_state_dict": AveragedModel(raw).state_dict()}, "state_dict"),
    }


@pytest.mark.parametrize("case", averaged_beside_raw())
def test_averaged_weights_come_before_raw_ones(tmp_path: Path, case: str) -> None:
    content, entry = averaged_beside_raw()[case]
    torch.save(content, tmp_path / "model.pth")
    checkpoint = read_checkpoint(tmp_path / "model.pth")
    (kernel,) = (tensor for tensor in checkpoint.tensors.values() if tensor.ndim == 4)
    assert kernel.unique().tolist() == [1]
    assert checkpoint.hints[0].startswith(f"the weights are the averaged ones, the entry {entry}; not used: ")


def test_averaged_weights_without_names_are_asked_for(tmp_path: Path) -> None:
    """torch_ema keeps a list of them."""
    ema = {"decay": 0.999, "shadow_params": list(KERNELS.values())}
    torch.save({"model": KERNELS, "ema": ema}, tmp_path / "model.pth")
    with pytest.raises(FormatError, match="its averaged weights, the entry ema, are no state_dict"):
        read_checkpoint(tmp_path / "model.pth")
    torch.save({"model": KERNELS, "ema": {"decay": 0.999}, "swa": None}, tmp_path / "model.pth")
    assert same(read_checkpoint(tmp_path / "model.pth").tensors, KERNELS)


@pytest.mark.parametrize("names", [("state_dict", "model"), ("student", "teacher"), ("model_ema", "swa")])
def test_which_of_two_networks_is_meant_is_not_guessed(tmp_path: Path, names: tuple[str, str]) -> None:
    torch.save(dict.fromkeys(names, KERNELS), tmp_path / "model.pth")
    with pytest.raises(FormatError, match=f"holds several networks, {', '.join(names)}, and nothing says which"):
        read_checkpoint(tmp_path / "model.pth")


def test_numpy_arrays_are_a_state_dict(tmp_path: Path) -> None:
    torch.save({name: tensor.numpy() for name, tensor in TENSORS.items()}, tmp_path / "model.pth")
    assert same(read_checkpoint(tmp_path / "model.pth").tensors, TENSORS)


def test_what_is_no_tensor_is_named(tmp_path: Path) -> None:
    torch.save({**TENSORS, "note": "text"}, tmp_path / "model.pth")
    with pytest.raises(FormatError, match="it has tensors, and beside them note, which are none"):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("kind", ["QInt8Storage", "ComplexFloatStorage", "UntypedStorage"])
@pytest.mark.filterwarnings("ignore:.*quantiz")
def test_other_numbers_are_no_broken_file(tmp_path: Path, kind: str) -> None:
    tensor = {
        "QInt8Storage": lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "ComplexFloatStorage": lambda: torch.ones(2, dtype=torch.complex64),
        "UntypedStorage": lambda: torch.ones(2).to(torch.float8_e4m3fn),
    }[kind]()
    torch.save({"w": tensor}, tmp_path / "m.pth")
    with pytest.raises(FormatError, match=f"{kind}: quantised, complex or 8-bit numbers; expected floating point$"):
        read_checkpoint(tmp_path / "m.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_beside_the_weights_are_data(tmp_path: Path, zipped: bool) -> None:
    """A training script stores its own: they are neither made nor needed."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=0.1)
    beside = {
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 3),
        "loss": torch.nn.CrossEntropyLoss(),
        "config": ConfigDict(lr=0.1),
        "when": (datetime.datetime.now(datetime.timezone.utc), datetime.date(2017, 1, 1)),
        "class": torch.nn.Module,
        "more": (range(3), frozenset([1]), collections.deque([1]), argparse.Namespace(a=1)),
    }
    torch.save({"state_dict": TENSORS, **beside}, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    assert same(read_checkpoint(tmp_path / "m.pth").tensors, TENSORS)


class Hostile:
    """Unpickling it would create a file."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, ...]]:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_is_never_executed(tmp_path: Path, zipped: bool) -> None:
    hostile = {"state_dict": TENSORS, "epoch": Hostile(str(tmp_path / "ran"))}
    torch.save(hostile, tmp_path / "hostile.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(FormatError, match="holds a pickled posix.mkdir"):
        read_checkpoint(tmp_path / "hostile.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("wrap", [lambda model: model, lambda model: {"model": model, "epoch": 3}])
def test_a_whole_model_is_refused_by_the_name_of_its_class(
    tmp_path: Path, zipped: bool, wrap: Callable[[object], object]
) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(2, 2))
    torch.save(wrap(model), tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        FormatError, match=r"holds a pickled torch.nn.modules.container.Sequential.*torch.save\(model.sta"
    ):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"\n <!DOCTYPE html><html>sign in</html>", "this is an HTML page"),
        (b"<html><body>404</body></html>", "this is an HTML page"),
        (b"<?xml version='1.0'?><Error/>", "this is an XML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "git lfs pull"),
        (b'{"error": "quota"}', "this is a JSON text"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 30, "no checkpoint format that densezoo reads"),
        (b"PK\x03\x04" + b"\0" * 60, "broken or truncated at its 64 bytes"),
        (b"\x80\x02" + b"\0" * 60, "broken or truncated at its 62 bytes"),
        (struct.pack("<Q", 1 << 60) + b'{"a":1}', "a safetensors file by its first bytes, but broken"),
        # the first bytes of files that TensorFlow 2.18, Paddle 2.6 and MXNet 1.9 wrote; the others by their documents
        (b"\x1c\0\0\0TFL3\x14\0 \0", "a TensorFlow Lite model"),
        (b"\nA\n\x01x\x12\x0bPlaceholder*\x12\n\x05shape", "a TensorFlow graph"),
        (b"\x08\x01\x12\xef\xe7/\n\xd7", "a part of a TensorFlow SavedModel"),
        (b"\0\0\x06\x08\x01\x1a\x02\x08\x01", "a part of a TensorFlow checkpoint"),
        (b'model_checkpoint_path: "x"\n', "a part of a TensorFlow checkpoint"),
        (b"\n\xc6\xf2\x0b\x08\0\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a Paddle program"),
        (b'{\n  "nodes": [\n    {', "a network without its weights"),
        (b'name: "DENSENET_121"\ninput: "data"', "a network without its weights"),
        (b'<?xml version="1.0"?>\n<net name="main_graph" version="11">', "an OpenVINO network"),
        (b"\x82\xa6params\x82\xa5conv0", "a msgpack file, as Flax writes it"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "one array of NumPy's"),
        (b"\x1f\x8b\x08\x08", "a packed archive; unpack it first"),
    ],
)
def test_what_is_no_checkpoint(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(content)
    with pytest.raises(FormatError) as caught:
        read_checkpoint(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_and_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="is a directory; expected a checkpoint file"):
        read_checkpoint(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(FormatError, match=r"a TensorFlow SavedModel; save it from there as \.keras"):
        read_checkpoint(tmp_path)
    with pytest.raises(FormatError, match="there is no such checkpoint file"):
        read_checkpoint(tmp_path / "missing.pth")
    with pytest.raises(FormatError, match="can't be opened .File name too long"):
        read_checkpoint(tmp_path / ("n" * 300))


def test_what_is_no_regular_file_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.pth")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        kinds = {"fifo.pth": r"is a FIFO \(a named pipe\)", "s": "is a socket", "/dev/zero": "is a device"}
        for name, message in kinds.items():
            with pytest.raises(FormatError, match=f"{message}; expected a checkpoint file"):
                read_checkpoint(tmp_path / name)


def test_a_pickle_that_is_whole_is_not_called_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.pth", "w") as archive:
        archive.writestr("m/data.pkl", b"\x80\x02" + b"]" * 400_000 + b".")
    with pytest.raises(FormatError, match="holds a pickle of more than 300,000 operations; no DenseNet's") as caught:
        read_checkpoint(tmp_path / "m.pth")
    assert "anew" not in str(caught.value)


def test_a_zip_of_another_method_is_not_called_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.npz", "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("w.npy", b"\x93NUMPY" + b"0" * 100)
    with pytest.raises(FormatError, match=r"w.npy is compressed by method 12 of zip; expected") as caught:
        read_checkpoint(tmp_path / "m.npz")
    assert "anew" not in str(caught.value)


@pytest.mark.parametrize("zipped", [True, False])
def test_shapes_alone_are_read_without_numbers(tmp_path: Path, zipped: bool) -> None:
    tensors = {"large": torch.ones(40, 40), "view": torch.ones(80, 80)[::2, :40], "small": torch.ones(3)}
    torch.save(tensors, tmp_path / "m.pth", _use_new_zipfile_serialization=zipped)
    found = read_checkpoint(tmp_path / "m.pth", shapes_only=True).tensors
    assert {name: tensor.shape for name, tensor in found.items()} == {n: tensor.shape for n, tensor in tensors.items()}
    assert [name for name, tensor in found.items() if tensor.is_meta] == ["large", "view"]


@pytest.mark.parametrize("content", [{}, {"epoch": 3, "weights": TENSORS}, [1, 2], {"state_dict": {"a": 1}}, 3])
def test_no_state_dict_inside(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(
        FormatError, match="expected a state_dict, alone or as one of state_dict_ema, model_ema, state_dict, model_s"
    ):
        read_checkpoint(tmp_path / "model.pth")


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
@pytest.mark.parametrize("kept", [0.2, 0.6, 0.95])
def test_truncated(tmp_path: Path, kind: str, kept: float) -> None:
    path = tmp_path / "model"
    tensors = {"weight": torch.randn(40, 40)}
    if kind == "safetensors":
        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind == "zip")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    with pytest.raises(FormatError, match="broken or truncated"):
        read_checkpoint(path)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["zip", "legacy", "safetensors"]), st.integers(0, 10**6), st.binary(min_size=1, max_size=4))
def test_mutated_bytes_load_or_are_refused(tmp_path: Path, kind: str, position: int, patch: bytes) -> None:
    path = tmp_path / "model"
    if kind == "safetensors":
        save_file(TENSORS, path)
    else:
        torch.save(TENSORS, path, _use_new_zipfile_serialization=kind == "zip")
    content = bytearray(path.read_bytes())
    start = position % len(content)
    content[start : start + len(patch)] = patch
    path.write_bytes(content)
    with contextlib.suppress(FormatError):
        read_checkpoint(path)


def test_deep_nesting_is_counted_without_recursion(tmp_path: Path) -> None:
    nested: list[object] = [torch.zeros(1)]
    for _ in range(3000):
        nested = [nested]
    nested[0] = [nested[0], nested]  # and a cycle
    assert _count_tensors(nested) == 1


def test_written_safetensors_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    facts = {"architecture": {"growth_rate": 12}, "protocol": "digits", "config": "c", "seed": 0}
    for name in ("a", "b"):
        write_safetensors(tmp_path / name, TENSORS, facts)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert same(read_checkpoint(tmp_path / "a").tensors, TENSORS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_sha256(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * (1 << 21) + b"y")
    assert file_sha256(tmp_path / "f") == hashlib.sha256(b"x" * (1 << 21) + b"y").hexdigest()


def test_a_zip_that_is_no_torch_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive.pth", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(FormatError, match=r"a zip archive, but no checkpoint's.*found readme.txt"):
        read_checkpoint(tmp_path / "archive.pth")


def with_crc(data: bytes, crc: int) -> bytes:
    """What MindSpore's ``save_checkpoint(..., crc_check=True)`` writes."""
    return data + b"crc_num" + crc.to_bytes(10, "big")


def test_mindspore_s_checksum_is_held(tmp_path: Path) -> None:
    data = (FORMATS / "mindspore_mindcv/small.ckpt").read_bytes()
    (tmp_path / "m.ckpt").write_bytes(with_crc(data, zlib.crc32(data)))
    assert same(
        read_checkpoint(tmp_path / "m.ckpt").tensors,
        dict(read_checkpoint(FORMATS / "mindspore_mindcv/small.ckpt").tensors),
    )
    changed = bytearray(data)
    changed[len(data) // 2] ^= 1
    (tmp_path / "m.ckpt").write_bytes(with_crc(bytes(changed), zlib.crc32(data)))
    with pytest.raises(FormatError) as caught:
        read_checkpoint(tmp_path / "m.ckpt")
    expected, found = (f"{zlib.crc32(content):#010x}" for content in (data, changed))
    assert f"at byte {len(data):,}: by MindSpore's crc_num expected the checksum {expected}" in str(caught.value)
    assert f"found {found}" in str(caught.value)


def test_texts_that_mindspore_appends_are_dropped(tmp_path: Path) -> None:
    """``save_checkpoint(..., append_dict={"name": "abc"})`` of MindSpore 2.7."""
    tensors = {
        b"name": b"\x12\x03str\x1a\x03abc",
        b"w": b"\x08\x01\x12\x07Float32\x1a\x04" + struct.pack("<f", 2.5),
    }
    values = [b"\x0a%c%s\x12%c%s" % (len(name), name, len(tensor), tensor) for name, tensor in tensors.items()]
    data = b"".join(b"\x0a%c%s" % (len(value), value) for value in values)
    (tmp_path / "m.ckpt").write_bytes(data)
    found = read_checkpoint(tmp_path / "m.ckpt")
    assert found.tensors["w"].tolist() == [2.5]
    assert found.dropped == {"text": 1}
