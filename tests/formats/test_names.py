"""The table of formats that help pages show, held to what reads them."""

from __future__ import annotations

import subprocess
import sys

from densezoo.formats import detect
from densezoo.formats.names import FORMATS, formats_read, looks_like_a_file


def test_every_reader_has_its_format() -> None:
    readers = {reader.__name__ for _, reader in (*detect.READERS, *detect.ARCHIVES)}
    packed = {"read_archive", "read_gzip", "read_tar"}  # what a file of any of them may be packed in
    assert readers - packed <= {name for each in FORMATS for name in each.readers}


def test_in_a_line() -> None:
    words = formats_read()
    assert words.startswith("PyTorch (.pth, .pt, .pth.tar, .bin), safetensors, TorchScript (.pt)")
    assert all(each.title in words for each in FORMATS)
    assert words.endswith(", ONNX")


def test_it_needs_no_torch() -> None:
    program = "import sys, densezoo.formats.names; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_names_that_can_only_be_files() -> None:
    assert all(looks_like_a_file(name) for name in ("a.pth", "A.SAFETENSORS", "x/densenet121", "b.pth.tar", "a.t7"))
    assert not any(looks_like_a_file(name) for name in ("densenet121", "densenet121.tv_in1k", "DenseNet-BC (100, 12)"))
