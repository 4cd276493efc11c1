"""Files that are cut off while they are read: one error, and no signal that ends Python."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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

#: Reads the file of the first argument, which is cut to half before the tensor whose number is the second one is made.
CHILD = """
import os, sys
import numpy as np
import torch
from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

path, left = sys.argv[1], int(sys.argv[2])

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
try:
    tensors = read_checkpoint(path).tensors
    sum(float(tensor.double().sum()) for tensor in tensors.values())
except FormatError as error:
    print(error)
"""


@pytest.mark.parametrize("name", [*FILES, "safetensors"])
def test_a_file_that_is_cut_off_while_it_is_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / Path(name).name
    if name == "safetensors":
        save_file({f"w{i}": torch.randn(40, 40) for i in range(40)}, path)
    else:
        path.write_bytes((FOLDER / name).read_bytes())
    read_checkpoint(path)  # whole, it is read
    size = path.stat().st_size
    child = subprocess.run([sys.executable, "-c", CHILD, path, "8"], capture_output=True, text=True, check=False)
    assert (child.returncode, child.stderr) == (0, "")  # a SIGBUS would be -7
    assert child.stdout == (
        f"{path}: was written to while it was read ({size:,} bytes before, {size // 2:,} after); read it again when it "
        "is whole\n"
    )
