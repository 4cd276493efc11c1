"""The table of formats that help pages show, held to what reads them, and to how published files end."""

from __future__ import annotations

import subprocess
import sys

from densezoo.formats import detect
from densezoo.formats.names import FORMATS, formats_read
from densezoo.index.load import load_index
from densezoo.index.locations import file_name


def test_every_reader_has_its_format() -> None:
    readers = {reader.__name__ for _, reader in (*detect.READERS, *detect.ARCHIVES)} - {"read_archive"}
    assert readers <= {name for each in FORMATS for name in each.readers}


def test_every_published_file_that_is_loadable_ends_as_a_format_says() -> None:
    ends = tuple(end for each in FORMATS for end in each.extensions)
    for spec in load_index().values():
        for source in spec.weights:
            name = file_name(spec.name, source)
            known = name.endswith((*ends, ".zip", ".tar.gz"))  # a packed one is to be unpacked, as its note says
            assert known or source.not_loadable, (spec.name, name)


def test_in_a_line() -> None:
    words = formats_read()
    assert words.startswith("PyTorch (.pth, .pt, .pth.tar, .bin), safetensors, TorchScript (.pt)")
    assert all(each.title in words for each in FORMATS)
    assert words.endswith(", ONNX")


def test_it_needs_no_torch() -> None:
    program = "import sys, densezoo.formats.names; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
