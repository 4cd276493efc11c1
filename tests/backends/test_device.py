"""The device that a network runs on."""

from __future__ import annotations

import pytest
import torch

from densezoo.backends.device import choose_device
from densezoo.errors import ConfigError


@pytest.mark.parametrize(("available", "expected"), [(True, "cuda"), (False, "cpu")])
def test_without_a_name_it_is_the_gpu_where_there_is_one(
    monkeypatch: pytest.MonkeyPatch, available: bool, expected: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: available)
    assert choose_device(None) == expected
    assert choose_device("cpu") == "cpu"


@pytest.mark.parametrize("name", ["abacus", "cpu:", "cuda:999"])
def test_what_is_not_there_is_one_line(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^--device {name}: .+$"):
        choose_device(name)


def test_of_torch_s_message_the_first_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where its C++ frames follow."""

    def fail(*_: object, device: str) -> None:
        raise RuntimeError(f"Found no NVIDIA driver for {device}\nException raised from\nframe #0: c10::Error")

    monkeypatch.setattr(torch, "empty", fail)
    with pytest.raises(ConfigError) as caught:
        choose_device("cuda:1")
    assert str(caught.value) == "--device cuda:1: Found no NVIDIA driver for cuda:1"
