"""timm's config.json of a network (that timm loads it: tests/api/test_sharing.py)."""

from __future__ import annotations

import dataclasses

import pytest

from densezoo.conversion.timm_config import timm_config
from densezoo.errors import CheckpointError
from densezoo.index.load import get_spec
from densezoo.protocols import get_protocol


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("densenet121.tv_in1k", "densenet121"),
        ("densenetblur121d.ra_in1k", "densenetblur121d"),
    ],
)
def test_a_network_that_timm_has_keeps_its_name(name: str, expected: str) -> None:
    spec = get_spec(name)
    config = timm_config(spec.architecture, get_protocol(spec.protocol))
    assert (config["architecture"], config["model_args"]) == (expected, {"in_chans": 3})


def test_an_rdnet_has_timm_s_epsilon_or_is_refused() -> None:
    """Of NAVER's files the head's norm has another one, which no config.json states."""
    spec = get_spec("rdnet_tiny.nv_in1k")
    protocol = get_protocol(spec.protocol)
    own = dataclasses.replace(spec.architecture, head_norm_eps=1e-6)
    assert timm_config(own, protocol)["architecture"] == "rdnet_tiny"
    with pytest.raises(CheckpointError, match="head_norm_eps 1e-05"):
        timm_config(dataclasses.replace(own, head_norm_eps=1e-5), protocol)


def test_channels_that_timm_can_t_order_are_refused() -> None:
    protocol = dataclasses.replace(get_protocol("torchvision"), channel_order="BGR")
    with pytest.raises(CheckpointError, match="channels in the order BGR"):
        timm_config(get_spec("densenet121.tv_in1k").architecture, protocol)
