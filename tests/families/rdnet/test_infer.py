"""An RDNet's architecture from its tensors' names and shapes alone."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from densezoo.conversion.match import recognise
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.infer import infer_architecture
from densezoo.families.rdnet.layers import layers
from densezoo.families.rdnet.network import RDNet
from densezoo.types import Checkpoint

SMALL = RDNetArchitecture((8, 16, 24), (2, 1, 3), 16, downsample=(2,), attention=(1,), in_chans=2, num_classes=5)


def tensors(arch: RDNetArchitecture) -> dict[str, torch.Tensor]:
    with torch.device("meta"):
        return dict(RDNet(arch).state_dict())


def inferred(named: dict[str, torch.Tensor]) -> RDNetArchitecture:
    return infer_architecture(recognise(Checkpoint("m.pth", "pytorch", named)))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"expansion": 2.0, "reduction": 1.0},
        {"patch_size": 2, "downsample": (1, 2), "attention": (0, 1, 2)},
        {"growth_rates": (8,), "block_config": (1,), "downsample": (), "attention": ()},
    ],
)
def test_the_architecture_is_in_the_tensors(changes: dict[str, object]) -> None:
    arch = dataclasses.replace(SMALL, **changes)  # type: ignore[arg-type]  # of its own type each
    assert inferred(tensors(arch)) == arch


def test_an_uncommon_reduction_gives_the_same_widths() -> None:
    """Channels are rounded down to 8, so that several factors are one network."""
    arch = dataclasses.replace(SMALL, num_init_features=24, reduction=0.75)
    found = inferred(tensors(arch))
    assert found.reduction != 0.5
    assert list(layers(found)) == list(layers(arch))


def test_what_no_tensor_shows_keeps_its_default() -> None:
    arch = dataclasses.replace(SMALL, head_norm_eps=1e-5, drop_path_rate=0.3)
    assert inferred(tensors(arch)) == SMALL


def test_a_file_of_parts_keeps_the_default_of_what_is_missing() -> None:
    named = {name: tensor for name, tensor in tensors(SMALL).items() if not name.startswith(("stem.", "head."))}
    default = RDNetArchitecture()
    found = inferred(named)
    assert (found.num_init_features, found.in_chans, found.patch_size) == (64, 3, 4)
    assert found.num_classes == default.num_classes
    assert (found.growth_rates, found.block_config) == (SMALL.growth_rates, SMALL.block_config)


def test_factors_that_no_convolutions_agree_with_are_the_default_s() -> None:
    named = tensors(SMALL)
    for stage, width in ((0, 40), (1, 8)):
        name = f"dense_stages.{stage}.{2 if stage else 0}.dense_block0.layers.layers.2.weight"
        named[name] = torch.empty(width, *named[name].shape[1:], device="meta")
    assert inferred(named).expansion == RDNetArchitecture().expansion
