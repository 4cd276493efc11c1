"""A whole evaluation that takes little: a small network on 12 images of 3 classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from unusual_images import encoded

from densezoo import api
from densezoo.config import load_config
from densezoo.formats.safetensors import write_safetensors
from densezoo.types import EvalResult

Evaluate = Callable[..., list[EvalResult]]

CONFIG = """
model = dict(growth_rate=4, block_config=(1, 1), num_init_features=8, num_classes=3)
dataset = "imagefolder"
protocol = "torchvision"
"""
BROKEN = "c/8.png"  # the image that tests break


def small_run(folder: Path) -> Evaluate:
    """evaluate(**options): the network ``small.py``, ``small.safetensors`` on ``val/``, results in ``out/``.

    Args:
        folder: that all of them are in.
    """
    torch.manual_seed(0)
    (folder / "small.py").write_text(CONFIG)
    network = api.create_model(load_config(folder / "small.py").model)
    write_safetensors(folder / "small.safetensors", network.state_dict(), {})
    for i in range(12):
        path = folder / "val" / "abc"[i // 4] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_png(i))

    def run(**options: Any) -> list[EvalResult]:
        fixed: dict[str, Any] = {"data_root": folder / "val", "out": folder / "out", "workers": 0, "device": "cpu"}
        given = {**fixed, "batch_size": 2, **options}
        return api.evaluate_protocols(folder / "small.py", folder / "small.safetensors", **given)

    return run


@cache
def _png(seed: int) -> bytes:
    return encoded(Image.fromarray(np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)), "PNG")


def numbers(result: EvalResult) -> dict[str, object]:
    return {key: value for key, value in vars(result).items() if key not in ("date", "seconds")}
