"""The examples of CONTRIBUTING.md, executed as if they stood in the files that they name."""

from __future__ import annotations

import importlib
import re
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from examples import randomise_statistics
from PIL import Image
from safetensors.torch import save_file

import densezoo
from densezoo import api
from densezoo.backends import base
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import PROTOCOLS, get_protocol
from densezoo.training.augmentations import AUGMENTATIONS, get_training_augmentation
from densezoo.types import Recipe

TEXT = (Path(__file__).resolve().parent.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^( *)```python\n( *# (densezoo/\S+\.py)\n.*?)^ *```$", re.MULTILINE | re.DOTALL)
EXAMPLES = {match[3]: textwrap.dedent(match[2]) for match in BLOCK.finditer(TEXT)}


def written_into(path: str) -> dict[str, Any]:
    """The names of an existing module after its example was written at its end; the module itself stays."""
    module = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    names = dict(vars(module))
    exec(compile(EXAMPLES[path], path, "exec"), names)
    return names


def new_module(path: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module that an example is the whole of, importable by its name."""
    name = path.removesuffix(".py").replace("/", ".")
    module = ModuleType(name)
    monkeypatch.setitem(sys.modules, name, module)
    exec(compile(EXAMPLES[path], path, "exec"), vars(module))
    module.__doc__ = vars(module)["__doc__"]
    return module


def test_every_example_is_executed() -> None:
    assert len(EXAMPLES) == TEXT.count("```python")
    here = Path(__file__).read_text(encoding="utf-8")
    assert all(f'"{path}"' in here for path in EXAMPLES)


FOO = (
    (r"^features\.conv0", "stem/conv"),
    (r"^features\.norm0", "stem/bn"),
    (r"^features\.denseblock(\d)\.denselayer(\d)\.", r"b\1/l\2/"),
    (r"^features\.transition(\d)\.norm", r"t\1/bn"),
    (r"^features\.transition(\d)\.conv", r"t\1/conv"),
    (r"^features\.norm5", "last_bn"),
    (r"^classifier\.weight", "head/w"),
    (r"^classifier\.bias", "head/b"),
    (r"norm1", "bn_a"),
    (r"norm2", "bn_b"),
    (r"conv1", "conv_a"),
    (r"conv2", "conv_b"),
    (r"(conv\w*)\.weight", r"\1/k"),
    (r"\.weight$", "/scale"),
    (r"\.bias$", "/shift"),
    (r"\.running_", "/"),
)


def as_foo_writes_it(name: str, tensor: torch.Tensor) -> tuple[str, torch.Tensor]:
    for pattern, replacement in FOO:
        name = re.sub(pattern, replacement, name)
    return name, tensor.permute(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


def test_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = written_into("densezoo/families/densenet/keymaps.py")
    for module in ("densezoo.families.densenet.keymaps", "densezoo.conversion.names", "densezoo.conversion.match"):
        monkeypatch.setattr(f"{module}.KEYMAPS", (*names["KEYMAPS"], names["FOO"]), raising=False)
    arch = DenseNetArchitecture(8, (2, 3), 16, num_classes=5, bn_eps=1e-3)
    state_dict = randomise_statistics(DenseNet(arch)).state_dict()
    foo = (as_foo_writes_it(*item) for item in state_dict.items() if "num_batches" not in item[0])
    save_file({name: tensor.contiguous() for name, tensor in foo}, tmp_path / "m.safetensors")
    network, report = densezoo.load_checkpoint(tmp_path / "m.safetensors")
    assert report.source == "foo"
    assert report.architecture == arch
    loaded = network.state_dict()
    assert all(torch.equal(loaded[name], state_dict[name]) for name in state_dict if "num_batches" not in name)


def test_a_protocol(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PROTOCOLS, "foo", written_into("densezoo/protocols/imagenet.py")["FOO"])
    assert get_protocol("foo").crop == 256
    floats = api.get_protocol("foo")(Image.new("RGB", (300, 400), (255, 0, 255)))
    assert floats.shape == (3, 256, 256)
    assert floats.amin((1, 2)).tolist() == [1, -1, 1]


def test_an_augmentation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(AUGMENTATIONS, "grey", raising=False)  # and so removes it at the end
    monkeypatch.setitem(AUGMENTATIONS, "grey", None)
    written_into("densezoo/training/augmentations.py")
    transform = get_training_augmentation("grey")(Recipe(1, 1), get_protocol("torchvision")).on_image
    assert transform is not None
    torch.manual_seed(0)
    colours = {transform(Image.new("RGB", (1, 1), (255, 0, 0))).getpixel((0, 0)) for _ in range(50)}
    assert colours == {(255, 0, 0), (76, 76, 76)}


def test_a_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(base.BACKENDS, "double", None)
    new_module("densezoo/backends/double.py", monkeypatch)
    written_into("densezoo/backends/base.py")
    arch = DenseNetArchitecture(8, (2, 3), 16, num_classes=5)
    network = randomise_statistics(DenseNet(arch)).eval()
    pixels = torch.randint(0, 256, (2, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    eager, double = (
        base.create_backend(name, network, arch, get_protocol("torchvision"), "cpu", precision)
        for name, precision in (("eager", "float32"), ("double", "float64"))
    )
    assert 0 < base.difference_from_eager(double, eager, pixels) < 1e-5


def test_a_command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    command = new_module("densezoo/commands/count.py", monkeypatch)
    assert command.main(["densenet121.tv_in1k"]) == 0
    assert capsys.readouterr().out == "1\n"
