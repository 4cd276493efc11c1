from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from densezoo.training.events import Epoch, Step


def test_events_are_facts() -> None:
    step = Step(1, 1, 10, 0.1, 2.3, None, 32, 0.1)
    with pytest.raises(FrozenInstanceError):
        step.loss = 0.0  # type: ignore[misc]
    assert Epoch(1, 2, 5, 0.1, 2.3, 10.0, 1.0).measures == {}
