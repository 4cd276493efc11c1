from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from torch import Tensor

import densezoo
from densezoo.errors import ConfigError
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.feature_maps import StageMaps
from densezoo.families.rdnet.architecture import RDNetArchitecture

DENSENET = DenseNetArchitecture(growth_rate=4, num_init_features=8, block_config=(1, 2, 1, 1), num_classes=3)


def maps_of(arch: DenseNetArchitecture | RDNetArchitecture, *out_indices: int) -> StageMaps:
    torch.manual_seed(0)
    made = densezoo.create_model(arch, features_only=True, out_indices=out_indices or None).eval()
    assert isinstance(made, StageMaps)
    return made


@torch.inference_mode()
def test_chosen_maps_are_those_of_all_and_the_info_is_theirs() -> None:
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    whole = maps_of(DENSENET)
    every: list[Tensor] = whole(images)
    for chosen in [(0,), (1, 3), (-1,), (4, 0)]:
        some = maps_of(DENSENET, *chosen)
        places = sorted(index % 5 for index in chosen)
        found = some(images)
        assert len(found) == len(places)
        assert all(torch.equal(each, every[place]) for each, place in zip(found, places))
        assert some.feature_info.channels() == [each.shape[1] for each in found] == list(some.channels)
        assert some.feature_info.reduction() == [64 // each.shape[2] for each in found] == list(some.reductions)
        assert [each["index"] for each in some.feature_info.get_dicts()] == places


def test_what_comes_after_the_last_chosen_stage_is_not_computed() -> None:
    some = maps_of(DENSENET, 1)
    block = some.get_submodule("features.denseblock2")
    block.register_forward_hook(lambda *_: pytest.fail("it is not asked for"))
    assert len(some(torch.zeros(1, 3, 64, 64))) == 1


def test_the_info_is_timm_s() -> None:
    theirs: Any = timm.create_model("densenet121", features_only=True, out_indices=(1, 4)).feature_info
    ours = densezoo.create_model("densenet121.tv_in1k", features_only=True, out_indices=(1, 4))
    assert isinstance(ours, StageMaps)
    assert ours.feature_info.channels() == theirs.channels()
    assert ours.feature_info.reduction() == theirs.reduction()
    keys = ["num_chs", "reduction", "index"]
    for more in ([], [[0, -1]]):
        assert ours.feature_info.get_dicts(keys, *more) == theirs.get_dicts(keys, *more)
        assert ours.feature_info.channels(*more) == theirs.channels(*more)
        assert ours.feature_info.reduction(*more) == theirs.reduction(*more)
    assert len(ours.feature_info) == len(theirs) == 5
    for index in (0, 2, -1):
        assert {**theirs[index], **ours.feature_info[index], "module": ""} == {**theirs[index], "module": ""}


@pytest.mark.parametrize("name", ["densenet121", "densenetblur121d", "rdnet_tiny"])
def test_a_stage_is_named_after_the_module_that_ends_it(name: str) -> None:
    """Where timm's norms have their ReLU inside, ours are a module of their own."""
    theirs: Any = timm.create_model(name, features_only=True)
    ours = densezoo.create_model(next(iter(densezoo.list_models(f"{name}.*"))), features_only=True)
    assert isinstance(ours, StageMaps)
    names = ours.feature_info.module_name()
    assert [each.replace("relu", "norm") for each in names] == theirs.feature_info.module_name()
    assert all(ours.get_submodule(each) for each in names)
    assert [each["module"] for each in ours.feature_info.get_dicts(idx=[-1])] == names[-1:]


@pytest.mark.parametrize("out_indices", [(5,), (-6,), (0, 0), (1, -4), ()])
def test_stages_that_are_not_there(out_indices: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match="expected different ones of 0 to 4, the network's 5 stages"):
        densezoo.create_model(DENSENET, features_only=True, out_indices=out_indices)


def test_they_are_chosen_among_feature_maps() -> None:
    with pytest.raises(ConfigError, match="give features_only=True with it"):
        densezoo.create_model(DENSENET, out_indices=(1,))
