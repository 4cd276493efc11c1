"""OneFlow's folders, laid out as its check_point_v2.py writes them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torchvision.models import DenseNet

import densezoo
from densezoo.errors import FormatError
from densezoo.formats.detect import read_checkpoint

KINDS = {torch.float32: "kFloat", torch.int64: "kInt64"}


def meta(tensor: torch.Tensor) -> str:
    sides = "".join(f"  dim: {side}\n" for side in tensor.shape)
    return f"shape {{\n{sides}}}\ndata_type: {KINDS[tensor.dtype]}\n"


def written(path: Path, state: dict[str, torch.Tensor], root: str, **changes: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, tensor in state.items():
            archive.writestr(f"{root}{name}/out", tensor.numpy().tobytes())
            archive.writestr(f"{root}{name}/meta", changes.get(name, meta(tensor)))
        archive.writestr(f"{root}snapshot_done", "")
    return path


@pytest.mark.parametrize("root", ["densenet_121/", ""])
def test_flowvision_s_zip(tmp_path: Path, root: str) -> None:
    network = randomise_statistics(DenseNet(growth_rate=4, block_config=(2, 2), num_init_features=8, num_classes=5))
    path = written(tmp_path / "densenet_121.zip", dict(network.state_dict()), root)
    model, report = densezoo.load_checkpoint(path)
    assert report.source == "torchvision"
    assert all(torch.equal(model.state_dict()[name], tensor) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("told", ["", "shape { dim: 3 }", "shape { dim: 3 } data_type: kOFRecord", "x" * 5000])
def test_a_tensor_without_its_shape_is_refused(tmp_path: Path, told: str) -> None:
    with pytest.raises(FormatError, match="a.weight: expected a shape and a data_type of numbers; found"):
        read_checkpoint(written(tmp_path / "m.zip", {"a.weight": torch.ones(3)}, "m/", **{"a.weight": told}))


def test_another_number_of_bytes_is_refused(tmp_path: Path) -> None:
    told = "shape { dim: 4 } data_type: kFloat"
    with pytest.raises(FormatError, match=r"a <f4 array of shape \(4,\) expected 16 bytes; found 12"):
        read_checkpoint(written(tmp_path / "m.zip", {"a.weight": torch.ones(3)}, "m/", **{"a.weight": told}))
