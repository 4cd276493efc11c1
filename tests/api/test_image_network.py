from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from digit_pictures import MODEL, digit_pictures
from small_run import CONFIG

import densezoo
from densezoo.api import image_network
from densezoo.api.image_network import ImageNetwork
from densezoo.data.layouts.given import named_images
from densezoo.errors import ConfigError, ImageError, UnknownNameError
from densezoo.formats.safetensors import write_safetensors
from densezoo.protocols.own import Changes


def test_whatever_is_made_comes_in_the_images_order(tmp_path: Path) -> None:
    digit_pictures(tmp_path, 5)
    network = ImageNetwork(MODEL, workers=0, batch_size=2, device="cpu")
    images = named_images([tmp_path])
    steps = list(network.steps(images, lambda outputs, batches: (batches[0].indices.tolist(), outputs[0]().shape)))
    assert [index for indices, _ in steps for index in indices] == [0, 1, 2, 3, 4]
    assert all(shape == (len(indices), 10) for indices, shape in steps)
    assert network.facts.backend in ("native", "eager")
    (tmp_path / "2.png").write_bytes(b"")
    with pytest.raises(ImageError, match=r"2\.png"):
        list(network.steps(images, lambda outputs, batches: None))
    skipped = network.steps(images, lambda outputs, batches: len(batches[0].errors), "skip")
    assert sum(skipped) == 1


def test_a_protocol_with_fields_changed() -> None:
    network = ImageNetwork(MODEL, changes=Changes(std=(0.5,)))
    assert network.protocol.name.startswith("changed-digits~")
    assert network.facts.protocol == network.protocol.name
    assert network.facts.own_protocol is not None


def test_what_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "small.py").write_text(CONFIG)
    network = densezoo.create_model(densezoo.get_spec(MODEL).architecture)
    write_safetensors(tmp_path / "bare.safetensors", network.state_dict(), {})
    mistakes: list[tuple[str | Path, str]] = [
        ("densenet_bc_22_8.densezoo_digit", "did you mean"),
        ("nowhere/a.pth", "nowhere/a.pth: there is no such checkpoint file, and no model of that name"),
        (tmp_path / "small.py", "is a config; its checkpoint goes after it"),
        (
            tmp_path / "bare.safetensors",
            "doesn't say how images are prepared for it; give a --protocol, such as torchvision",
        ),
    ]
    for model, message in mistakes:
        with pytest.raises((ConfigError, UnknownNameError), match=message):
            ImageNetwork(model)
    with pytest.raises(ConfigError, match="expected a config before the checkpoint x.pth"):
        ImageNetwork(MODEL, "x.pth")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"overrides": {"model.bn_size": 2}},
            "--cfg-options model.bn_size: overrides a field of a config, and none is g",
        ),
        ({"protocol": "tim"}, "there is no protocol 'tim'"),
        ({"device": "cudo"}, "--device cudo: expected such as cpu"),
        ({"backend": "natve"}, "there is no backend 'natve'"),
        ({"batch_size": 0}, "batch_size is 0; expected a number of at least 1"),
    ],
)
def test_what_can_be_refused_before_weights_are_fetched_is(
    monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], message: str
) -> None:
    monkeypatch.setattr(image_network, "fetch_weights", lambda name: pytest.fail("they are fetched"))
    with pytest.raises((ConfigError, UnknownNameError), match=message):
        ImageNetwork("densenet121.tv_in1k", **options)
