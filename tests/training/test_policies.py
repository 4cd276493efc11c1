from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

import numpy as np
import pytest
import torch
from PIL import Image
from timm.data.transforms_factory import create_transform
from torchvision.transforms import v2

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.protocols import get_protocol
from densezoo.training.policies import TIMM_S, TORCHVISION_S, check_policy, make_policy


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize(
    "name", ["rand-m9-n3-mstd0.5-inc1", "rand-m7-tweights", "original-mstd0.5", "v0r", "augmix-m5-w4-d2"]
)
def test_it_is_timm_s(name: str, random_image: Callable[..., Image.Image]) -> None:
    """As timm's own factory of transforms makes it of the same name, size, mean and interpolation."""
    theirs = next(
        part
        for part in create_transform(
            (3, 64, 64), is_training=True, auto_augment=name, interpolation="bicubic", no_aug=False
        ).transforms
        if type(part).__module__ == "timm.data.auto_augment"
    )
    ours, image = make_policy(name, 64, get_protocol("timm")), random_image(64, 64)
    changed = 0
    for number in range(20):
        seed(number)
        our_image = np.asarray(ours(image))
        seed(number)
        assert np.array_equal(our_image, np.asarray(theirs(image)))
        changed += not np.array_equal(our_image, np.asarray(image))
    assert changed > 5


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        ("ta_wide", v2.TrivialAugmentWide()),
        ("ra", v2.RandAugment()),
        ("cifar10", v2.AutoAugment(v2.AutoAugmentPolicy.CIFAR10)),
    ],
)
def test_it_is_torchvision_s(name: str, transform: v2.Transform, random_image: Callable[..., Image.Image]) -> None:
    ours, image = make_policy(name, None, get_protocol("cifar10")), random_image(32, 32)
    for number in range(5):
        seed(number)
        our_image = np.asarray(ours(image))
        seed(number)
        assert np.array_equal(our_image, np.asarray(transform(image)))


@pytest.mark.parametrize("name", TORCHVISION_S)
def test_torchvision_s_take_one_channel(name: str) -> None:
    image = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
    policy = make_policy(name, None, get_protocol("digits"))
    seed(0)
    assert all((changed := policy(image)).size == (8, 8) and changed.mode == "L" for _ in range(60))


@pytest.mark.parametrize("name", ["rand-m9", "augmix"])
def test_timm_s_refuse_one_channel(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name!r} changes colours, and images under protocol 'digits' have one"):
        make_policy(name, None, get_protocol("digits"))


@pytest.mark.parametrize("name", [*TORCHVISION_S, *TIMM_S, "rand-m9-mstdinf-p0.4-mmax12-inc0", "augmix-a0.5-b1-d2"])
def test_a_policy_s_name(name: str) -> None:
    check_policy(name)
    make_policy(name, 32, get_protocol("torchvision"))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("rnd-m9", UnknownNameError, "there is no policy 'rnd-m9'"),
        ("randaugment", UnknownNameError, "there is no policy 'randaugment'"),
        ("rand-9", ConfigError, "'9' is no parameter of 'rand'; expected parts like m9, n2"),
        ("rand-m9-k3", ConfigError, "'k3' is no parameter of 'rand'"),
        ("original-m9", ConfigError, "'m9' is no parameter of 'original'"),
    ],
)
def test_what_is_no_policy(name: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_policy(name)


@pytest.mark.parametrize(("name", "maker"), [("rand-m9", "rand_augment_transform"), ("v0", "auto_augment_transform")])
def test_timm_s_policies_get_timm_s_own_shares(name: str, maker: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its transforms_factory shifts by at most 0.45 of the side, and resamples as the network's images are."""
    monkeypatch.setattr(f"timm.data.auto_augment.{maker}", lambda name, parameters: parameters)
    given = cast("dict[str, object]", make_policy(name, 224, get_protocol("timm")))
    assert given == {"translate_const": 100, "img_mean": (124, 116, 104), "interpolation": Image.Resampling.BICUBIC}


def test_what_is_uncovered_has_the_protocol_s_mean_colour() -> None:
    """A black image that is shifted or turned shows the mean, in the order of the image's channels: red first."""
    for protocol, colour in (("torchvision", (124, 116, 104)), ("caffe", (124, 117, 104))):
        policy = make_policy("rand-m10-p1.0-n4", 32, get_protocol(protocol))
        seed(0)
        seen = {
            policy(Image.new("RGB", (32, 32))).getpixel((x, y)) for _ in range(60) for x in (0, 31) for y in (0, 31)
        }
        assert colour in seen
