"""Caffe2's init_net.pb, laid out as facebookarchive/models has densenet121's: numbers that are not packed."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from examples import randomise_statistics
from torch import Tensor, nn

import densezoo
from densezoo.errors import FormatError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.network import DenseNet
from densezoo.formats.detect import read_checkpoint

ARCH = DenseNetArchitecture(4, (2, 1), 8, num_classes=5)
NAMES = {
    "features.conv0": "conv1",
    "features.denseblock1.denselayer1.conv1": "conv2_1/x1",
    "features.denseblock1.denselayer1.conv2": "conv2_1/x2",
    "features.denseblock1.denselayer2.conv1": "conv2_2/x1",
    "features.denseblock1.denselayer2.conv2": "conv2_2/x2",
    "features.transition1.conv": "conv2_blk",
    "features.denseblock2.denselayer1.conv1": "conv3_1/x1",
    "features.denseblock2.denselayer1.conv2": "conv3_1/x2",
    "features.norm5": "conv3_blk",
    "classifier": "fc6",
}


class NormThenScale(nn.Module):
    """SpatialBN, then Mul and Add, as the network runs them."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        self.norm = norm
        self.scale = nn.Parameter(torch.rand(norm.num_features, 1, 1) + 0.5)
        self.shift = nn.Parameter(torch.randn(norm.num_features, 1, 1) * 0.1)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x) * self.scale + self.shift  # type: ignore[no-any-return]


def scaled(module: nn.Module) -> None:
    """Put a scale after every norm."""
    for name, child in module.named_children():
        if isinstance(child, nn.BatchNorm2d):
            setattr(module, name, NormThenScale(child))
        else:
            scaled(child)


def field(number: int, content: bytes) -> bytes:
    """A field of wire type 2."""
    length, out = len(content), b""
    while length > 127:
        out, length = out + bytes([length & 127 | 128]), length >> 7
    return bytes([number << 3 | 2]) + out + bytes([length]) + content


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def fill(name: str, tensor: Tensor, packed: bool) -> bytes:
    """An operator GivenTensorFill."""
    numbers = tensor.detach().numpy().astype("<f4")
    one_by_one = b"".join(b"\x2d" + number.tobytes() for number in numbers.reshape(-1))
    values = field(1, b"values") + (field(5, numbers.tobytes()) if packed else one_by_one)
    shape = field(1, b"shape") + b"".join(b"\x30" + varint(side) for side in tensor.shape)
    arguments = field(5, shape) + field(5, values)
    return field(2, field(2, name.encode()) + field(4, b"GivenTensorFill") + arguments)


def tensors_of(network: DenseNet) -> dict[str, Tensor]:
    found: dict[str, Tensor] = {}
    norms = {"norm0": "conv0", "norm1": "conv1", "norm2": "conv2", "norm": "conv"}
    for path, module in network.named_modules():
        stem, _, last = path.rpartition(".")
        if isinstance(module, NormThenScale):
            name = NAMES.get(path) or NAMES[f"{stem}.{norms[last]}"]
            norm = module.norm
            parts = {"_scale": norm.weight, "_bias": norm.bias, "_mean": norm.running_mean, "_var": norm.running_var}
            parts |= {"_w": module.scale.reshape(-1), "_b": module.shift.reshape(-1)}
            found |= {f"{name}/bn{end}": part for end, part in parts.items() if part is not None}
        elif isinstance(module, nn.Conv2d):
            found[f"{NAMES[path]}_w"] = module.weight
    return found | {"fc6_w": network.classifier.weight[:, :, None, None], "fc6_b": network.classifier.bias}


@pytest.mark.parametrize("packed", [False, True])
def test_caffe2_s_network(tmp_path: Path, packed: bool) -> None:
    torch.manual_seed(0)
    network = randomise_statistics(DenseNet(ARCH))
    assert isinstance(network, DenseNet)
    scaled(network)
    network.eval()
    fills = b"".join(fill(name, tensor, packed) for name, tensor in tensors_of(network).items())
    data = field(2, field(2, b"data") + field(4, b"ConstantFill"))
    (tmp_path / "init_net.pb").write_bytes(field(1, b"densenet121_init") + fills + data)
    ours, report = densezoo.load_checkpoint(tmp_path / "init_net.pb")
    images = torch.randn(2, 3, 65, 65, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.allclose(ours.eval()(images), network(images), atol=1e-6)
    assert report.source == "caffe2"
    assert report.protocol == "caffe"
    assert report.architecture == ARCH
    assert report.dropped == {"operator without numbers": 1}
    large = read_checkpoint(tmp_path / "init_net.pb", shapes_only=True).tensors["conv1_w"]
    assert large.is_meta
    assert large.shape == (8, 3, 7, 7)


def test_the_network_that_is_run_is_refused_by_its_name(tmp_path: Path) -> None:
    convolution = field(2, field(1, b"data") + field(1, b"conv1_w") + field(2, b"conv1") + field(4, b"Conv"))
    (tmp_path / "predict_net.pb").write_bytes(field(1, b"densenet121") + convolution)
    with pytest.raises(
        FormatError, match="a Caffe2 network of 1 operators, 0 of which hold weights; expected init_net"
    ):
        read_checkpoint(tmp_path / "predict_net.pb")


def test_broken_numbers_are_refused(tmp_path: Path) -> None:
    whole = fill("fc6_b", torch.ones(3), False)
    path = tmp_path / "init_net.pb"
    path.write_bytes(field(1, b"init") + whole.replace(b"\x2d", b"\x25", 1))
    with pytest.raises(FormatError, match="fc6_b: expected numbers of four bytes each"):
        read_checkpoint(path)
    path.write_bytes(field(1, b"init") + whole.replace(b"\x30\x03", b"\x30\x04"))
    with pytest.raises(FormatError, match="fc6_b: expected 4 numbers; found 15 bytes"):
        read_checkpoint(path)
