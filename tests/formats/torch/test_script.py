"""Scripted and traced modules: the forward's code decides what is loaded, and it is never run."""

from __future__ import annotations

import contextlib
import re
import sys
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch_networks import IMAGES, OTHER, SAME, SMALL, ByACounter, ByTheImage, Changed, ChangesAWeight, WithSoftmax
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import DensezooError, FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.fuzzing import hold_to_limits

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


def script(path: Path, model: nn.Module) -> Path:
    torch.jit.script(randomise_statistics(model)).save(str(path))
    return path


def trace(path: Path, model: nn.Module) -> Path:
    torch.jit.trace(randomise_statistics(model), IMAGES, check_trace=False).save(str(path))
    return path


@pytest.mark.parametrize("save", [script, trace])
@pytest.mark.parametrize("made", SAME)
def test_the_function_is_the_file_s(tmp_path: Path, made: str, save: Callable[[Path, nn.Module], Path]) -> None:
    original = SAME[made]()  # in training mode, as a careless script leaves it
    model, report = densezoo.load_checkpoint(save(tmp_path / "model.pt", original))
    assert report.exact
    assert report.format == "torchscript"
    with torch.inference_mode():
        torch.testing.assert_close(model(IMAGES), original.eval()(IMAGES), rtol=0, atol=0)


@pytest.mark.parametrize("save", [script, trace])
def test_an_appended_softmax_is_left_out(tmp_path: Path, save: Callable[[Path, nn.Module], Path]) -> None:
    original = WithSoftmax()
    model, _ = densezoo.load_checkpoint(save(tmp_path / "model.pt", original))
    with torch.inference_mode():
        torch.testing.assert_close(model(IMAGES).softmax(1), original.eval()(IMAGES), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("made", OTHER)
def test_another_function_is_refused(tmp_path: Path, made: str) -> None:
    """Traced: whatever Python did is in the code."""
    make, message = OTHER[made]
    with pytest.raises(DensezooError, match=message) as caught:
        densezoo.load_checkpoint(trace(tmp_path / "model.pt", make()))
    assert str(tmp_path / "model.pt") in str(caught.value)


SCRIPTED = {
    **{made: (make, message) for made, (make, message) in OTHER.items() if isinstance(make, type)},
    "a weight that is changed": (ChangesAWeight, "mul_ changes a weight"),
    "a choice by the image": (ByTheImage, "a choice that depends on the image"),
    "a choice by a counter": (ByACounter, "a choice that depends on the image"),
}


@pytest.mark.parametrize("made", SCRIPTED)
def test_another_scripted_function_is_refused(tmp_path: Path, made: str) -> None:
    make, message = SCRIPTED[made]
    with pytest.raises(DensezooError, match=message):
        densezoo.load_checkpoint(script(tmp_path / "model.pt", make()))


def test_traced_in_training_mode_is_refused(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(DenseNet(**SMALL).train(), IMAGES, check_trace=False).save(str(tmp_path / "model.pt"))
    with pytest.raises(DensezooError, match="add_ changes a weight, as in training mode"):
        densezoo.load_checkpoint(tmp_path / "model.pt")


def test_a_frozen_module_is_refused(tmp_path: Path) -> None:
    torch.jit.freeze(torch.jit.script(DenseNet(**SMALL).eval())).save(str(tmp_path / "model.pt"))
    with pytest.raises(FormatError, match="without a readable state"):
        densezoo.load_checkpoint(tmp_path / "model.pt")


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
    model.classifier = Restored()  # type: ignore[assignment]
    with pytest.raises(FormatError, match="changes what is loaded"):
        densezoo.load_checkpoint(script(tmp_path / "model.pt", model))


def with_forward(path: Path, body: str) -> Path:
    """A scripted network whose forward's code is another text."""
    source = script(path.with_name("source.pt"), Changed())
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(path, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if b"class Changed(" in content:
                head, _, rest = content.partition(b"x: Tensor) -> Tensor:\n")
                content = head + b"x: Tensor) -> Tensor:\n    " + body.encode() + b"\n" + rest
            changed.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("while True:\n      pass", "more than 150,000 expressions"),
        ("for i in range(1000000000000):\n      pass", "more than 150,000 expressions"),
        ("n = 3\n    while torch.gt(n, 0):\n      n = torch.mul(n, n)", "a number of"),
        ("return (self).forward(x, )", "more than 24 functions inside each other"),
        ("return " + "(" * 150 + "x" + ")" * 150, "expected linear|expected softmax|expected a network|found input"),
        ("return x" + ".a" * 5000, "its code|line"),
        ("return x +", "can't be parsed"),
        ("return __torch__.os.system", "there is no member"),
        ("import os", "Import statements are not followed"),
        ("return eval('1')", "forward returns what"),
        ("return getattr(self, '__class__')", "KeyError"),
        ("return ().__class__.__base__.__subclasses__()", "forward returns what"),
        ("return [x for x in x]", "ListComp expressions are not followed"),
        ("self.training = True", "self.training is assigned to"),
        ("return None", "forward returns a NoneType"),
        ("return (x, x)", "forward returns a tuple"),
        ("return torch.relu(nothing)", "KeyError"),
        ("_0 = torch.insert([x], 0, x)\n    return x", "insert changes its arguments"),
        ("ops.prim.RaiseException('no')", "forward raises an error"),
        ("n = [x]\n    for i in range(90):\n      n = [n, n]\n    return x", "lists inside lists"),
        ("n = [x]\n    while True:\n      _0 = torch.append(n, x)\n      y = torch.cat(n, 1)", "expressions"),
        ("torch = x\n    return torch.relu(x)", "a call of torch.relu"),
        ("return torch.cat([x, torch.relu(x)[0]], 1)", "found cat of values that are computed"),
        ("return torch.relu()", "forward returns what"),
        ("n = [1, 1]\n    _0 = torch._set_item(n, 0, 2)", "_set_item may change a list"),
        ("_0 = torch.mul(self.classifier.weight, 2, out=self.classifier.weight)", "mul changes its arguments"),
    ],
)
def test_code_that_no_densenet_has(tmp_path: Path, body: str, message: str) -> None:
    with pytest.raises(DensezooError, match=message) as caught:
        densezoo.load_checkpoint(with_forward(tmp_path / "model.pt", body))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("body", ["x = [" + "1," * 100_000 + "]", "x = '" + "x" * 5_000_000 + "'"])
def test_too_much_code_is_refused_before_it_is_parsed(tmp_path: Path, body: str) -> None:
    path = with_forward(tmp_path / "model.pt", body)
    tracemalloc.start()
    with pytest.raises(FormatError, match="bytes of code"):
        read_checkpoint(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("body", ["n = [" + "1, " * 35_000 + "]", "n = [x]\n    while True:\n      y = torch.relu(x)"])
def test_code_that_is_long_or_runs_for_ever(tmp_path: Path, body: str) -> None:
    path = with_forward(tmp_path / "m.pt", body + "\n    return torch.nothing(x)")
    assert not hold_to_limits(path, densezoo.load_checkpoint)


WORDS = re.compile(r"\w+|[^\w\s]|\s+")


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_mutated_code_loads_or_is_refused(scripted: Path, tmp_path: Path, data: st.DataObject) -> None:
    """Words of the code put elsewhere, doubled or left out."""
    with zipfile.ZipFile(scripted) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from([name for name in members if name.endswith(".py")]))
    words = WORDS.findall(members[name].decode())
    for _ in range(data.draw(st.integers(1, 4))):
        start, length, to = (data.draw(st.integers(0, limit)) for limit in (len(words), 30, len(words)))
        moved = words[start : start + length]
        if data.draw(st.booleans()):
            del words[start : start + length]
        words[to:to] = moved
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        for member, content in members.items():
            archive.writestr(member, "".join(words) if member == name else content)
    with contextlib.suppress(DensezooError):
        read_checkpoint(tmp_path / "model.pt")


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script(tmp_path_factory.mktemp("scripted") / "model.pt", DenseNet(**SMALL))
