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
    with pytest.raises(ConfigError) as caught:
        choose_device(name)
    text = str(caught.value)
    assert text.startswith(f"--device {name}: ")
    assert len(text) > len(f"--device {name}: ")
    assert "\n" not in text  # torch's own message has a traceback of C++ frames after its first line
