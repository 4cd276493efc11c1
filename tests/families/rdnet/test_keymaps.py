"""Files of NAVER and of timm: told apart, converted both ways, and refused where they are not what they seem."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

import densezoo
from densezoo.conversion.export import export
from densezoo.errors import CheckpointError
from densezoo.families import architecture_values
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.network import RDNet
from densezoo.formats.safetensors import write_safetensors

SMALL = RDNetArchitecture((8, 16, 24), (2, 1, 3), 16, downsample=(2,), attention=(1,), in_chans=2, num_classes=5)
NAVER = dataclasses.replace(SMALL, head_norm_eps=1e-5)


def weights(arch: RDNetArchitecture = SMALL) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.rand(tensor.shape, generator=generator) - 0.4 for name, tensor in RDNet(arch).state_dict().items()
    }


def naver(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        name.replace("stem.", "stem.stem.", 1) if name.startswith("stem.") else name: tensor
        for name, tensor in tensors.items()
    }


@pytest.mark.parametrize("prefix", ["", "module.", "model_ema."])
def test_the_names_tell_whose_network_it_is(tmp_path: Path, prefix: str) -> None:
    for tensors, source, arch in ((weights(), "timm-rdnet", SMALL), (naver(weights()), "naver-rdnet", NAVER)):
        torch.save({prefix + name: tensor for name, tensor in tensors.items()}, tmp_path / "m.pth")
        network, report = densezoo.load_checkpoint(tmp_path / "m.pth")
        assert (report.source, report.architecture, report.matched) == (source, arch, len(tensors))
        assert ("head_norm_eps 1e-05: as this source has it" in report.hints) == (source == "naver-rdnet")
        assert all(network.state_dict()[name].equal(tensor) for name, tensor in weights().items())


@pytest.mark.parametrize("to", ["timm", "naver"])
def test_written_for_either_and_read_back(tmp_path: Path, to: str) -> None:
    arch = {"timm": SMALL, "naver": NAVER}[to]
    export(tmp_path / "m.pth", to, arch, weights(), {})
    saved = torch.load(tmp_path / "m.pth", weights_only=True)
    assert set(saved) == set(weights() if to == "timm" else naver(weights()))
    network, report = densezoo.load_checkpoint(tmp_path / "m.pth")
    assert report.architecture == arch
    assert all(network.state_dict()[name].equal(tensor) for name, tensor in weights().items())


def test_an_epsilon_that_its_file_can_t_carry(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"timm's RDNet can't have head_norm_eps 1e-05"):
        export(tmp_path / "m.pth", "timm", NAVER, weights(), {})
    with pytest.raises(CheckpointError, match=r"naver's RDNet can't have head_norm_eps 1e-06"):
        export(tmp_path / "m.pth", "naver", SMALL, weights(), {})
    with pytest.raises(CheckpointError, match="can't write an RDNet for onnx; expected one of densezoo, timm, naver"):
        export(tmp_path / "m.onnx", "onnx", SMALL, weights(), {})


def test_convert_with_verification(tmp_path: Path) -> None:
    torch.save(weights(), tmp_path / "m.pth")
    report, written = densezoo.convert_checkpoint(tmp_path / "m.pth", tmp_path / "m.safetensors", verify=True)
    assert written["verified"] == {"timm m.pth": 0.0}
    assert densezoo.load_checkpoint(tmp_path / "m.safetensors")[1].architecture == report.architecture == SMALL
    _, written = densezoo.convert_checkpoint(tmp_path / "m.safetensors", tmp_path / "again.pth")
    assert written["to"] == "timm"


def test_wrong_files_are_refused(tmp_path: Path) -> None:
    path, tensors = tmp_path / "m.pth", weights()

    def refusal(found: dict[str, torch.Tensor], arch: densezoo.types.Architecture | None = None) -> str:
        torch.save(found, path)
        with pytest.raises(CheckpointError) as caught:
            densezoo.load_checkpoint(path, arch)
        return str(caught.value)

    gain = "dense_stages.1.2.dense_block0.gamma"
    assert f"missing (1): {gain}" in refusal({name: tensors[name] for name in tensors if name != gain})
    assert f"mismatched (1): {gain}: expected (16,), found (17,)" in refusal({**tensors, gain: torch.zeros(17)})
    assert "unexpected (1): extra" in refusal({**tensors, "extra": torch.zeros(1)})
    other = dataclasses.replace(SMALL, growth_rates=(8, 16, 32))
    assert "growth_rates is (8, 16, 24), expected (8, 16, 32)" in refusal(tensors, other)
    assert "(timm-rdnet) this is an RDNet; expected a DenseNet" in refusal(tensors, DenseNetArchitecture())
    features = {name: tensor for name, tensor in tensors.items() if not name.startswith("head.")}
    assert "these are an RDNet's features without their classifier" in refusal(features)
    swapped = {**tensors, "head.norm.weight": torch.full((96,), float("nan"))}
    shape = tensors["head.norm.weight"].shape
    swapped["head.norm.weight"] = torch.full(shape, float("nan"))
    assert "holds numbers that are not finite" in refusal(swapped)


def test_a_shared_wiring_of_timm_s_smallest(tmp_path: Path) -> None:
    spec = densezoo.get_spec("rdnet_tiny")
    assert spec.name == "rdnet_tiny.nv_in1k"
    assert spec.architecture == RDNetArchitecture(head_norm_eps=1e-5, drop_path_rate=0.15)


def test_a_config_s_epsilon_is_the_network_s_or_an_error(tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save(weights(), path)
    assert densezoo.load_checkpoint(path, NAVER)[1].architecture == NAVER
    torch.save(naver(weights()), path)
    assert densezoo.load_checkpoint(path, NAVER)[1].architecture == NAVER
    with pytest.raises(CheckpointError, match=r"head_norm_eps was asked to be 0.1 .* naver-rdnet names .* it is 1e-05"):
        densezoo.load_checkpoint(path, dataclasses.replace(SMALL, head_norm_eps=0.1))
    write_safetensors(tmp_path / "m", weights(), {"architecture": architecture_values(NAVER)})
    with pytest.raises(CheckpointError, match="head_norm_eps was asked to be 0.1"):
        densezoo.load_checkpoint(tmp_path / "m", dataclasses.replace(SMALL, head_norm_eps=0.1))


def test_verification_says_what_timm_has_not(tmp_path: Path) -> None:
    torch.save(naver(weights()), tmp_path / "m.pth")
    densezoo.convert_checkpoint(tmp_path / "m.pth", tmp_path / "a.safetensors")
    _, written = densezoo.convert_checkpoint(tmp_path / "a.safetensors", tmp_path / "b.safetensors", verify=True)
    assert written["verified"] == {
        "timm a.safetensors": "timm doesn't take it: its head's norm has an epsilon of 1e-06; this network's has 1e-05"
    }
