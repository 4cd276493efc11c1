"""What the code of a TorchScript archive may be, before it is followed."""

from __future__ import annotations

import ast
import io
import tracemalloc
import zipfile
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch_networks import (
    Changed,
    script,
    with_forward,
)

import densezoo
from densezoo.errors import FormatError
from densezoo.formats.binary import in_memory
from densezoo.formats.containers.pickle_values import Inert
from densezoo.formats.containers.zip import Archive
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.torch.script_code import MAX_WORDS, Code, NotFollowed, dotted_name

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def twice(module: nn.Module, given: tuple[Tensor], made: Tensor) -> Tensor:
    return made * 2.0


def test_a_hook_is_refused(tmp_path: Path) -> None:
    """The code has it beside forward, and torch calls it."""
    model = Changed()
    model.register_forward_hook(twice)
    with pytest.raises(FormatError, match="has __forward_hooks__"):
        densezoo.load_checkpoint(script(tmp_path / "model.pt", model))


class Restored(nn.Module):
    """A classifier that is made of what its file holds."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.bias = torch.randn(5, 16), torch.randn(5)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.linear(x, self.weight, self.bias)

    @torch.jit.export
    def __getstate__(self) -> dict[str, Tensor]:
        return {"weight": self.weight, "bias": self.bias}

    @torch.jit.export
    def __setstate__(self, state: dict[str, Tensor]) -> None:
        self.weight, self.bias, self.training = state["weight"] * 2.0, state["bias"], False


def test_code_that_restores_a_module_is_refused(tmp_path: Path) -> None:
    model = Changed()
    model.classifier = Restored()
    with pytest.raises(FormatError, match="changes what is loaded"):
        densezoo.load_checkpoint(script(tmp_path / "model.pt", model))


@pytest.mark.parametrize("body", ["x = [" + "1," * 100_000 + "]", "x = '" + "x" * 5_000_000 + "'"])
def test_too_much_code_is_refused_before_it_is_parsed(tmp_path: Path, body: str) -> None:
    path = with_forward(tmp_path / "model.pt", body)
    tracemalloc.start()
    with pytest.raises(FormatError, match="bytes of code"):
        read_checkpoint(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


def code(tmp_path: Path, **files: str) -> Code:
    """The code of an archive with these files."""
    with zipfile.ZipFile(tmp_path / "m.pt", "w") as archive:
        for name, text in files.items():
            archive.writestr(f"m/code/{name.replace('.', '/')}.py", text)
    data = in_memory(tmp_path / "m.pt", io.BytesIO((tmp_path / "m.pt").read_bytes()))
    return Code(Archive(data), "m")


NETWORK = """
class Net(Module):
  __parameters__ = []
  __forward_hooks__ = []
  def forward(self: __torch__.Net, x: Tensor) -> Tensor:
    return __torch__.double(x, )
"""


def test_functions_and_methods_are_found_by_their_names(tmp_path: Path) -> None:
    found = code(tmp_path, **{"__torch__": NETWORK + "def double(x: Tensor) -> Tensor:\n  return x\n"})
    net = Inert("__torch__.Net", ())
    forward, double = found.method(net, "forward"), found.function("__torch__.double")
    assert (forward.file, forward.definition.name, forward.owner) == ("__torch__", "forward", net)
    assert (double.file, double.definition.name, double.owner) == ("__torch__", "double", None)
    with pytest.raises(NotFollowed, match=r"^there is no function __torch__\.Net$"):
        found.function("__torch__.Net")
    with pytest.raises(NotFollowed, match=r"^__torch__\.Net has no method backward$"):
        found.method(net, "backward")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(x):\n  return (x", "__torch__ can't be parsed"),
        ("def f(x):\n  pass\ndef f(x):\n  pass\n", "__torch__ defines a name twice"),
        ("class Net(Module):\n  __forward_pre_hooks__ = [f]\n", "__torch__.Net has __forward_pre_hooks__"),
        (
            "class Net(Module):\n  def __setstate__(self):\n    pass\n",
            r"__torch__.Net changes what is loaded \(__setst",
        ),
    ],
)
def test_code_that_is_not_followed(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(NotFollowed, match=message):
        code(tmp_path, __torch__=text).body(Inert("__torch__.Net", ()))


def test_a_network_without_hooks_has_empty_lists(tmp_path: Path) -> None:
    assert len(code(tmp_path, __torch__=NETWORK).body(Inert("__torch__.Net", ()))) == 3


def test_words_are_counted_over_all_files(tmp_path: Path) -> None:
    half = "x = 1\n" * (MAX_WORDS // 6)  # three words a line
    found = code(tmp_path, a=half, b=half, c="x = 1\n" * 400)
    assert found.definitions("a") == found.definitions("b") == {}
    with pytest.raises(NotFollowed, match="bytes of code"):
        found.definitions("c")


@pytest.mark.parametrize(("text", "name"), [("a", "a"), ("a.b.c", "a.b.c"), ("a().b", ""), ("a[0].b", ""), ("3", "")])
def test_dotted_names(text: str, name: str) -> None:
    assert dotted_name(ast.parse(text, mode="eval").body) == name
