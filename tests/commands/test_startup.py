"""What a command imports before its work begins: nothing that takes seconds and isn't used."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from densezoo.paths import ROOT

#: Packages and what they cost: torch's compiler 2.4 s of CPU, timm 2.9 s, torchvision 1 s, mmengine 0.2 s.
HEAVY = ["torch._dynamo", "torch._inductor", "sympy", "timm", "torchvision", "sklearn", "scipy", "pandas", "matplotlib"]
HEAVY += ["pyarrow", "onnx", "keras", "h5py", "mmcv", "modelindex", "fvcore"]


@pytest.fixture(scope="module")
def densenet121(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision's, as torch.save writes it."""
    path = tmp_path_factory.mktemp("weights") / "densenet121.pth"
    torch.save(torchvision.models.densenet121().state_dict(), path)
    return path


def test_nothing_heavy_is_imported_until_the_first_image_is_decoded(tmp_path: Path, densenet121: Path) -> None:
    (tmp_path / "val" / "n01440764").mkdir(parents=True)
    Image.fromarray(np.zeros((300, 300, 3), np.uint8)).save(tmp_path / "val" / "n01440764" / "a.png")
    program = f"""
import json, runpy, sys
from densezoo.data import loading

def decode(image, protocol, where):
    print(json.dumps([where.rpartition("/")[2], [name for name in {[*HEAVY, "mmengine"]} if name in sys.modules]]))
    raise SystemExit

loading.decode = decode
sys.argv = {["test.py", "configs/densenet121.py", str(densenet121), "--data-root", str(tmp_path)]}
sys.argv += {["--out", str(tmp_path / "out"), "--workers", "0", "--device", "cpu"]}
runpy.run_path("tools/test.py", run_name="__main__")
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == ["a.png", []]


@pytest.mark.parametrize(
    ("tool", "options", "message"),
    [
        ("test", ["--protocol", "tim"], "there is no protocol 'tim'; did you mean 'timm'?"),
        ("test", ["--dataset", "imagenet1"], "there is no dataset 'imagenet1'; did you mean 'imagenet1k'?"),
        ("test", ["--tta", "flop"], "there is no test-time augmentation 'flop'; did you mean 'flip'?"),
        ("test", ["--device", "cudda:1"], "--device cudda:1: expected such as cpu, cuda or cuda:1; did you mean"),
        ("test", ["--device", "cuda:one"], "--device cuda:one: expected such as cpu, cuda or cuda:1"),
        ("test", ["--cfg-options", "dataset=imagenet1"], "there is no dataset 'imagenet1'"),
        ("test", ["--backend", "eagre"], "there is no backend 'eagre'; did you mean 'eager'?"),
        (
            "test",
            ["--precision", "float23"],
            "there is no precision 'float23'; did you mean 'float32'?",
        ),
        ("sweep", ["--backend", "eagre"], "there is no backend 'eagre'; did you mean 'eager'?"),
        ("sweep", ["--tta", "flop"], "there is no test-time augmentation 'flop'; did you mean 'flip'?"),
        ("benchmark", ["--precision", "bfloat61"], "there is no precision 'bfloat61'"),
        ("train", ["--device", "cpuu"], "--device cpuu: expected such as cpu, cuda or cuda:1; did you mean 'cpu'?"),
        ("train", ["--cfg-options", "protocol=tim"], "there is no protocol 'tim'"),
    ],
)
def test_a_misspelt_name_is_refused_before_torch_is_imported(tool: str, options: list[str], message: str) -> None:
    arguments = ["configs/densenet121.py", *(["weights.pth"] if tool == "test" else []), *options]
    program = f"""
import runpy, sys
sys.argv = {[f"{tool}.py", *arguments]}
try:
    runpy.run_path("tools/{tool}.py", run_name="__main__")
finally:
    print(sorted({{"torch", *{HEAVY}}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "[]\n")
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
