"""TorchScript's code, followed statement by statement."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from torch_networks import (
    with_forward,
)

import densezoo
from densezoo.errors import DensezooError, FormatError
from densezoo.formats.detect import read_checkpoint
from densezoo.formats.fuzzing import hold_to_limits

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")


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
        ("n = -x\n    return x", "the negative of what is no number"),
        ("_0 = torch.append(x, x)\n    return x", "append to what is no list"),
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


@pytest.mark.skipif(sys.platform != "linux", reason="measures memory through /proc")
@pytest.mark.usefixtures("untraced")
@pytest.mark.parametrize("body", ["n = [" + "1, " * 35_000 + "]", "n = [x]\n    while True:\n      y = torch.relu(x)"])
def test_code_that_is_long_or_runs_for_ever(tmp_path: Path, body: str) -> None:
    path = with_forward(tmp_path / "m.pt", body + "\n    return torch.nothing(x)")
    assert not hold_to_limits(path, densezoo.load_checkpoint)


#: {statements: what stands for them in the result's steps}.
STEPS = {
    """if torch.eq(3, 3):
      y = torch.relu(x)
    else:
      y = x
    return y""": ["relu"],
    """if torch.gt(torch.size(x, 2), 3):
      ops.prim.RaiseException('')
    else:
      pass
    return torch.relu(x)""": ["relu"],
    """y = x
    for i in range(3):
      y = torch.relu(y)
    return y""": ["relu"] * 3,
    """n, y = [2, x]
    while torch.gt(n, 0):
      n = torch.sub(n, 1)
      y = torch.relu(y)
    return y""": ["relu"] * 2,
    """y, _0 = torch.max_pool2d_with_indices(x, [2, 2], [2, 2])
    return y""": ["max_pool"],
    """a, b = [x, torch.relu(x)]
    return torch.cat([b, a], 1)""": ["relu", "concat"],
    "return torch.flatten(torch.relu_(x), 1)": ["relu", "flatten"],
    "return annotate(Tensor, torch.relu(x))": ["relu"],
}


@pytest.mark.parametrize("body", STEPS)
def test_statements_are_followed(tmp_path: Path, body: str) -> None:
    """Of every kind of statement and expression that the walk knows: the steps that the result depends on."""
    graph = read_checkpoint(with_forward(tmp_path / "m.pt", body)).graph
    assert [step.op for step in graph] == ["input", *STEPS[body]]
    assert all(set(step.inputs) <= {other.name for other in graph} for step in graph)


def test_a_result_that_is_not_used_may_not_change_anything(tmp_path: Path) -> None:
    path = with_forward(tmp_path / "m.pt", "_0 = torch.sigmoid(x)\n    return torch.relu(x)")
    with pytest.raises(FormatError, match="sigmoid, whose result is not used"):
        read_checkpoint(path)


def test_an_error_says_where_in_the_code_it_is(tmp_path: Path) -> None:
    path = with_forward(tmp_path / "m.pt", "y = torch.relu(x)\n    import os")
    with pytest.raises(FormatError, match=r"m\.pt: __torch__.*\.forward, line 11: Import statements are not followed"):
        read_checkpoint(path)
