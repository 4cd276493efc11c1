"""``torch.export`` archives: the graph decides what is loaded."""

from __future__ import annotations

import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import nn
from torch_networks import IMAGES, OTHER, SAME, SMALL
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import DensezooError, FormatError
from densezoo.formats.detect import read_checkpoint


def export(path: Path, model: nn.Module) -> Path:
    torch.export.save(torch.export.export(randomise_statistics(model), (IMAGES,)), path)
    return path


def export_decomposed(path: Path, model: nn.Module) -> Path:
    program = torch.export.export(randomise_statistics(model), (IMAGES,))
    torch.export.save(program.run_decompositions(), path)
    return path


#: Decomposed, these have no step that the others lack, and a decomposition takes a second.
SLOW = {"torchvision, memory_efficient", "timm", "by view"}
DECOMPOSED = [pytest.param(made, export_decomposed, marks=pytest.mark.slow if made in SLOW else []) for made in SAME]


@pytest.mark.parametrize(("made", "save"), [*((made, export) for made in SAME), *DECOMPOSED])
def test_the_function_is_the_file_s(tmp_path: Path, made: str, save: Callable[[Path, nn.Module], Path]) -> None:
    original = SAME[made]()
    model, report = densezoo.load_checkpoint(save(tmp_path / "model.pt2", original))
    assert report.exact
    assert report.format == "torch-export"
    with torch.inference_mode():
        torch.testing.assert_close(model(IMAGES), original.eval()(IMAGES), rtol=0, atol=0)


@pytest.mark.parametrize("made", OTHER)
def test_another_function_is_refused(tmp_path: Path, made: str) -> None:
    make, message = OTHER[made]
    with pytest.raises(DensezooError, match=message) as caught:
        densezoo.load_checkpoint(export(tmp_path / "model.pt2", make()))
    assert str(tmp_path / "model.pt2") in str(caught.value)


def test_exported_in_training_mode_is_refused(tmp_path: Path) -> None:
    torch.export.save(torch.export.export(DenseNet(**SMALL).train(), (IMAGES,)), tmp_path / "model.pt2")
    with pytest.raises(DensezooError, match="add_, whose result is not used"):
        densezoo.load_checkpoint(tmp_path / "model.pt2")


def test_two_results_are_refused(tmp_path: Path) -> None:
    class Two(DenseNet):  # type: ignore[misc]  # torchvision has no types
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return super().forward(x), self.features(x)

    with pytest.raises(DensezooError, match="returns 2 tensors, not one"):
        densezoo.load_checkpoint(export(tmp_path / "model.pt2", Two(**SMALL)))


@pytest.mark.parametrize("text", [b"[" + b"[]," * 2_000_000 + b"[]]", b'"' + b"x" * (20 << 20) + b'"'])
def test_a_description_without_end_is_refused_before_it_is_parsed(tmp_path: Path, text: bytes) -> None:
    source = export(tmp_path / "source.pt2", DenseNet(**SMALL))
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(tmp_path / "model.pt2", "w") as changed:
        for name in archive.namelist():
            changed.writestr(name, text if name.endswith("models/model.json") else archive.read(name))
    tracemalloc.start()
    with pytest.raises(FormatError, match="of JSON with .* values; expected at most"):
        read_checkpoint(tmp_path / "model.pt2")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 << 20
