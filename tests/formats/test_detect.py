from __future__ import annotations

import contextlib
import os
import socket
import struct
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

TENSORS = {"a.weight": torch.arange(6.0).reshape(2, 3), "a.count": torch.tensor(7)}


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
        (b'model_checkpoint_path: "x"\n', "the list of a folder's TensorFlow checkpoints"),
        (b"\n\xc6\xf2\x0b\x08\0\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a Paddle program"),
        (b"MATLAB 5.0 MAT-file, Platform: GLNXA64", "a MATLAB file"),
        (
            b"\0" * 16 + b"\x0a\0\0\0\x08\x05\x10\x40\x10\x03" + b"\1" * 40,
            "the numbers of a Paddle graph for inference",
        ),
        (b'{\n  "nodes": [\n    {', "a network without its weights"),
        (b'name: "DENSENET_121"\ninput: "data"', "a network without its weights"),
        (b'<?xml version="1.0"?>\n<net name="main_graph" version="11">', "an OpenVINO network"),
        (b"\x82\xa6params\x82\xa5conv0", "a msgpack file, as Flax writes it"),
        (b"\x93NUMPY\x01\0v\0{'descr'", "one array of NumPy's"),
        (b"\x1f\x8b\x08\x08", "a gzip file that is truncated at its 4 bytes"),
        (b"BZh91AY&SY", "a packed archive; unpack it first"),
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


def zipped(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def test_a_zip_that_is_no_checkpoint(tmp_path: Path) -> None:
    path = zipped(tmp_path / "archive.pth", {"readme.txt": b"hello"})
    with pytest.raises(FormatError, match=r"archive.pth: readme.txt: no checkpoint format.*starts with b'hello'"):
        read_checkpoint(path)
    path = zipped(path, {"a/one.pt": b"x", "a/two.pt": b"y"})
    with pytest.raises(
        FormatError, match=r"or one checkpoint alone; found a/one.pt, a/two.pt; unpack it, and name the"
    ):
        read_checkpoint(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_the_only_file_of_a_zip_is_read(tmp_path: Path, kind: str, method: int) -> None:
    """As osmr, Gluon and others publish theirs; folders and what macOS adds are no files."""
    if kind == "safetensors":
        save_file(TENSORS, tmp_path / "m")
    else:
        torch.save(TENSORS, tmp_path / "m", _use_new_zipfile_serialization=kind == "zip")
    others = {"net/": b"", "__MACOSX/net/._m.pth": b"?", "net/.DS_Store": b"?"}
    path = zipped(tmp_path / "m.pth.zip", {**others, "net/m.pth": (tmp_path / "m").read_bytes()}, method)
    checkpoint = read_checkpoint(path)
    assert checkpoint.hints == ("read: net/m.pth, the archive's only file",)
    assert checkpoint.tensors.keys() == TENSORS.keys()
    assert all(torch.equal(checkpoint.tensors[name], tensor) for name, tensor in TENSORS.items())


def test_the_only_file_of_a_zip_may_not_blow_up(tmp_path: Path) -> None:
    path = zipped(tmp_path / "m.zip", {"m.pth": b"\0" * (100 << 20)})
    with pytest.raises(FormatError, match="claim to decompress to more than 3 times the file's"):
        read_checkpoint(path)
