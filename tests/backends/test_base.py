"""Another backend is a module and a line of the table."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from torch import Tensor, nn

from densezoo import api
from densezoo.backends import base
from densezoo.backends.base import BACKENDS, BackendEntry, create_backend
from densezoo.backends.eager import EagerBackend
from densezoo.errors import BackendError, EvaluationError, MissingDependencyError, UnknownNameError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.paths import ROOT
from densezoo.protocols import get_protocol
from densezoo.results.store import read_results
from densezoo.types import Architecture, Protocol

PROTOCOL = get_protocol("digits")


def densenet() -> tuple[DenseNet, DenseNetArchitecture]:
    """A small network for digits, and its architecture."""
    arch = DenseNetArchitecture(4, (2, 2), 8, stem="cifar", in_chans=1, num_classes=10)
    return DenseNet(arch).eval(), arch


class ToyBackend:
    """Eager's logits, and a little more."""

    name = "toy"
    concurrent = False

    def __init__(
        self, network: nn.Module, architecture: Architecture, protocol: Protocol, device: str, precision: str
    ) -> None:
        self._eager = EagerBackend(network, architecture, protocol, device)
        self.protocol, self.device, self.precision = protocol, self._eager.device, precision
        self.added = 1e-6 if precision == "float32" else 1.0

    def __call__(self, pixels: Tensor) -> Tensor:
        logits = self._eager(pixels)
        return logits + self.added * logits.abs().amax(1, keepdim=True)


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The backend "toy", which is within its bound in float32 and not in int8."""
    module = ModuleType("toy")
    module.ToyBackend = ToyBackend  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "toy", module)
    monkeypatch.setitem(BACKENDS, "toy", BackendEntry("toy", "ToyBackend", {"float32": 1e-4, "bf16": 0.1}))


@pytest.mark.usefixtures("toy")
def test_another_backend_measures_and_its_result_says_so(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fixed = (*api.DEMO, "--workers", 0, "--device", "cpu", "--batch-size", 899, "--out", tmp_path)
    assert tool("test", *fixed, "--backend", "toy") == 0
    (path,) = tmp_path.glob("digits/*.json")
    assert path.name == "densenet_bc_22_8.densezoo_digits@digits+toy.json"
    assert "protocol digits+toy" in capsys.readouterr().out
    values = json.loads(path.read_text())
    assert (values["backend"], values["precision"], values["correct1"]) == ("toy", "float32", 885)
    assert values["backend_difference"] == pytest.approx(1e-6, rel=0.5)
    assert list(values)[-2:] == ["backend_difference", "machine"]
    (result,) = read_results(tmp_path)
    assert result.backend_difference == values["backend_difference"]


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize("tta", [None, "flip"])
def test_one_that_differs_from_eager_measures_nothing(tmp_path: Path, tta: str | None) -> None:
    with pytest.raises(EvaluationError, match="toy in bf16 on cpu: its logits differ from eager's by 1.0e[+]00"):
        api.evaluate_protocols(
            *api.DEMO, workers=0, device="cpu", backend="toy", precision="bf16", tta=tta, out=tmp_path
        )
    assert not list(tmp_path.glob("*/*"))


def test_eager_s_result_has_no_difference(tmp_path: Path) -> None:
    (result,) = api.evaluate_protocols(
        *api.DEMO, workers=0, device="cpu", backend="eager", batch_size=899, out=tmp_path
    )
    assert result.backend_difference is None
    (path,) = tmp_path.glob("digits/*.json")
    assert "backend_difference" not in path.read_text()
    shipped = ROOT / "results/digits" / path.name
    assert list(json.loads(path.read_text())) == list(json.loads(shipped.read_text()))


def test_every_entry_that_is_installed_computes() -> None:
    """What isn't installed, or has the precision on another device alone, says so by an error."""
    network, arch = densenet()
    created = []
    for name, entry in BACKENDS.items():
        for precision in entry.precisions:
            try:
                backend: base.Backend = create_backend(name, network, arch, PROTOCOL, "cpu", precision)
            except (BackendError, MissingDependencyError):
                continue
            created.append((name, precision))
            assert (backend.name, backend.precision, str(backend.device)) == (name, precision, "cpu")
            assert backend.protocol is PROTOCOL
            assert isinstance(backend.concurrent, bool)
    assert ("eager", "float32") in created


def test_a_package_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = BackendEntry("toy", "ToyBackend", {"float32": 1e-4}, ("no_such_runtime",), "toys")
    monkeypatch.setitem(BACKENDS, "toy", entry)
    with pytest.raises(MissingDependencyError, match="backend toy needs no_such_runtime, .*toys"):
        base.check_backend("toy", "float32")


@pytest.mark.parametrize(
    ("name", "precision", "message"),
    [
        ("eagre", "float32", "there is no backend 'eagre'; did you mean 'eager'?"),
        ("eager", "float23", "there is no precision of backend eager 'float23'; did you mean 'float32'?"),
    ],
)
def test_a_name_that_is_none(name: str, precision: str, message: str) -> None:
    with pytest.raises(UnknownNameError) as caught:
        create_backend(name, *densenet(), PROTOCOL, "cpu", precision)
    assert str(caught.value) == message


def test_the_table_imports_no_torch() -> None:
    program = "import sys, densezoo.backends.base; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
