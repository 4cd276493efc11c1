from __future__ import annotations

from pathlib import Path

import pytest

from densezoo import api
from densezoo.errors import TrainingError

CONFIG = api.DEMO[0]
SHORT = {"train.epochs": 2, "model.growth_rate": 4, "model.block_config": (1, 1, 1)}


def test_a_lost_loss_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at iteration \d+; lower train.lr"):
        api.train_config(CONFIG, work_dir=tmp_path, workers=0, device="cpu", overrides={**SHORT, "train.lr": 1e9})
    assert not list(tmp_path.glob("*.safetensors"))
