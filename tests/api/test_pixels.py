"""ONNX files with the normalisation inside, run by onnxruntime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from densezoo.api.pixels import export_pixels
from densezoo.conversion.export import export
from densezoo.conversion.load import load_checkpoint
from densezoo.data.preprocess import normalise
from densezoo.errors import ConfigError, DensezooError
from densezoo.families import architecture_values, build_model
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.protocols import get_protocol


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    arch = DenseNetArchitecture(growth_rate=4, num_init_features=8, block_config=(1, 2), num_classes=5)
    path = tmp_path_factory.mktemp("source") / "tiny.safetensors"
    facts = {"architecture": architecture_values(arch), "protocol": "torchvision"}
    export(path, "densezoo", arch, build_model(arch, "densezoo").state_dict(), facts)
    return path


@pytest.mark.parametrize("protocol", [None, "mmpretrain"])
def test_onnxruntime_gives_eager_s_logits_of_uint8_pixels(source: Path, tmp_path: Path, protocol: str | None) -> None:
    path = export_pixels(source, tmp_path / "m.onnx", protocol)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    network, _ = load_checkpoint(source)
    for images in (1, 3):
        pixels = np.random.default_rng(images).integers(0, 256, (images, 3, 32, 32), dtype=np.uint8)
        with torch.inference_mode():
            expected = network(normalise(torch.from_numpy(pixels), get_protocol(protocol or "torchvision"))).numpy()
        (logits,) = session.run(None, {session.get_inputs()[0].name: pixels})
        assert logits.shape == (images, 5)
        np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_it_is_never_read_back_as_a_network_of_normalised_images(source: Path, tmp_path: Path) -> None:
    with pytest.raises(DensezooError):
        load_checkpoint(export_pixels(source, tmp_path / "m.onnx"))


def test_another_extension(source: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"expected a name that ends in \.onnx"):
        export_pixels(source, tmp_path / "m.pth")
