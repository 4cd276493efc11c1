from __future__ import annotations

import logging
from pathlib import Path

import pytest
import torch
from converted_backends import SMALL, VARIANTS, check_device, check_variant
from examples import randomise_statistics

from densezoo.backends.base import Backend, create_backend, difference_from_eager
from densezoo.errors import BackendError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.protocols import get_protocol

openvino = pytest.importorskip("openvino", reason="openvino is not installed: pip install -e '.[openvino]'")

#: As wide as int8 needs: of six channels, two that differ much lose the others.
WIDE = DenseNetArchitecture(16, (3, 3), 32, num_classes=7)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_logits_are_eager_s(variant: str) -> None:
    check_variant("openvino", variant)


@pytest.mark.parametrize("protocol", ["torch7", "caffe", "cifar10"])
def test_under_every_kind_of_normalisation(protocol: str) -> None:
    check_variant("openvino", "cifar", protocol)


def test_it_computes_on_the_cpu_alone() -> None:
    check_device("openvino")


@pytest.mark.parametrize("able", [("FP32", "BF16"), ("FP32", "INT8")])
def test_bf16_where_the_cpu_has_it(able: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    import densezoo.backends.openvino as module

    monkeypatch.setattr(module, "capabilities", lambda core: able)
    network, protocol = DenseNet(SMALL).eval(), get_protocol("torchvision")
    if "BF16" not in able:
        with pytest.raises(BackendError, match="this CPU has no bf16, only FP32, INT8; choose float32"):
            create_backend("openvino", network, SMALL, protocol, "cpu", "bf16")
        return
    assert create_backend("openvino", network, SMALL, protocol, "cpu", "bf16").precision == "bf16"


def test_the_last_group_is_filled_up_and_cut_off() -> None:
    network, protocol = DenseNet(SMALL).eval(), get_protocol("torchvision")
    backend = create_backend("openvino", network, SMALL, protocol, "cpu", "float32")
    pixels = torch.randint(0, 256, (17, 3, 64, 64), dtype=torch.uint8)
    assert torch.equal(backend(pixels)[16:], backend(pixels[16:]))


def test_the_second_start_takes_what_was_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For each shape and for other weights it is compiled anew; a file that is not what was written, too."""
    import densezoo.backends.openvino as module

    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    protocol, compiled = get_protocol("torchvision"), []
    compile_ = module.OpenVinoBackend._compile
    monkeypatch.setattr(
        module.OpenVinoBackend,
        "_compile",
        lambda self, *shape: compiled.append(1) or compile_(self, *shape),  # type: ignore[func-returns-value]
    )
    pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)

    def logits(network: torch.nn.Module, pixels: torch.Tensor = pixels) -> torch.Tensor:
        return create_backend("openvino", network, SMALL, protocol, "cpu", "float32")(pixels)

    network, other = randomise_statistics(DenseNet(SMALL)), randomise_statistics(DenseNet(SMALL))
    first = logits(network)
    monkeypatch.setattr(module, "converted_to_onnx", None)  # it isn't needed the second time
    assert torch.equal(logits(network), first)
    assert len(compiled) == 1
    monkeypatch.undo()
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    (file,) = tmp_path.rglob("*.openvino")
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert torch.equal(logits(network), first)
    assert not torch.equal(logits(other), first)
    logits(network, pixels[..., :48])
    assert len({*tmp_path.rglob("*.openvino")}) == 3


def calibrated(pixels: torch.Tensor | None) -> Backend:
    protocol = get_protocol("torchvision")
    torch.manual_seed(0)
    return create_backend("openvino", randomise_statistics(DenseNet(WIDE)), WIDE, protocol, "cpu", "int8", pixels)


def test_int8_learns_from_training_images_and_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nncf = pytest.importorskip("nncf", reason="nncf is not installed: pip install -e '.[openvino]'")
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    images = torch.randint(0, 256, (20, 3, 64, 64), dtype=torch.uint8, generator=generator)
    network, protocol = randomise_statistics(DenseNet(WIDE)), get_protocol("torchvision")
    eager = create_backend("eager", network, WIDE, protocol, "cpu", "float32")
    listener = logging.NullHandler()
    monkeypatch.setattr(logging.getLogger("nncf"), "handlers", [listener])
    backend = calibrated(images)
    assert 1e-4 < difference_from_eager(backend, eager, images) < 0.2
    assert listener.level == logging.NOTSET, "who listens to nncf hears what it did before"
    again, files = backend(images), set(tmp_path.rglob("*.int8"))
    assert len(files) == 1
    monkeypatch.setattr(nncf, "quantize", None)  # the second time it isn't asked
    assert torch.equal(calibrated(images)(images), again)
    monkeypatch.undo()
    monkeypatch.setenv("DENSEZOO_HOME", str(tmp_path))
    calibrated(images // 2)(images)
    assert len(set(tmp_path.rglob("*.int8"))) == 2


def test_int8_without_training_images_says_what_is_missing() -> None:
    pytest.importorskip("nncf", reason="nncf is not installed: pip install -e '.[openvino]'")
    with pytest.raises(
        BackendError, match="backend openvino in int8 needs training images, .* by densezoo test --calibration"
    ):
        calibrated(None)
