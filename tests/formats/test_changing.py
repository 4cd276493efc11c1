"""Files that are cut off while they are read: one error, and no signal that ends Python."""

from __future__ import annotations

import re
from pathlib import Path

import forked
import pytest
import torch
from safetensors.torch import save_file

from densezoo.formats.detect import read_checkpoint

FOLDER = Path(__file__).resolve().parents[1] / "fixtures"
FILES = [
    "formats/paddle/small.pdparams", "formats/caffe/small.caffemodel", "formats/chainer/small.npz",
    "formats/flyyufelix/densenet121_weights_th.h5", "formats/gpleiss/model.dat", "formats/mmpretrain/epoch_1.pth",
    "formats/mindspore_mindcv/small.ckpt", "formats/mxnet/small_legacy.params", "formats/onnx/small_nofold.onnx",
    "formats/torchvision_formats/scripted.pt", "torch7/00_tiny_bc_d10_k4.t7", "torch7/06_ascii.t7",
]  # fmt: skip

#: Reads each of the files named by its arguments in a fork, which has torch already; the file is cut to half before the
#: eighth tensor is made. Prints what the fork says and its status.
CHILD = """
import os, sys, traceback
import numpy as np
import torch
from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

def hooked(function):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.truncate(path, os.path.getsize(path) // 2)
        return function(*args, **kwargs)
    return call

for module in [module for name, module in sys.modules.items() if name.startswith("densezoo.formats")]:
    for name in ("to_tensor", "cut"):
        if hasattr(module, name):
            setattr(module, name, hooked(getattr(module, name)))
def read():
    try:
        tensors = read_checkpoint(path).tensors
        sum(float(tensor.double().sum()) for tensor in tensors.values())
    except FormatError as error:
        print(error)

for path in sys.argv[1:]:
    left = 8
    sys.stdout.flush()
    if (fork := os.fork()) == 0:
        status = 1
        try:
            read()
            status = 0
        except BaseException:
            traceback.print_exc(file=sys.stdout)
        finally:
            sys.stdout.flush()
            os._exit(status)
    print(f"status {os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])}")
"""
NAMES = [*FILES, "safetensors"]


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, int, str]]:
    """{name: (the file, its size before, what its reader printed and its status)}."""
    files = {}
    for name in NAMES:
        path = tmp_path_factory.mktemp("cut") / Path(name).name
        if name == "safetensors":
            save_file({f"w{i}": torch.randn(40, 40) for i in range(40)}, path)
        else:
            path.write_bytes((FOLDER / name).read_bytes())
        read_checkpoint(path)  # whole, it is read
        files[name] = path, path.stat().st_size
    done = forked.run(["-c", CHILD, *(path for path, _ in files.values())])
    assert (done.returncode, done.stderr) == (0, "")
    printed = re.findall(r"(.*?^status -?\d+\n)", done.stdout, re.DOTALL | re.MULTILINE)
    return {name: (*file, text) for (name, file), text in zip(files.items(), printed, strict=True)}


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_cut_off_while_it_is_read(cut_off: dict[str, tuple[Path, int, str]], name: str) -> None:
    path, size, printed = cut_off[name]
    assert printed == (  # a SIGBUS would be status -7
        f"{path}: was written to while it was read ({size:,} bytes before, {size // 2:,} after); read it again when it "
        "is whole\nstatus 0\n"
    )
