"""A tiny network of three labels an image, with random weights, and 24 grey images with a CSV of their labels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from densezoo import api
from densezoo.families import architecture_values
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.formats.safetensors import write_safetensors

NAMES = ("bright", "dark edge", "never")
ARCH = DenseNetArchitecture(
    stem="cifar", growth_rate=4, block_config=(1, 1), num_init_features=4, in_chans=1, num_classes=3
)
NUMBER = 24


def small_labels(folder: Path, **facts: object) -> Path:
    """Write images, ``labels.csv`` (its columns in another order than the logits) and the weights; return these.

    Args:
        folder: for all of them.
        facts: what the weights state of themselves, in place of what they would.
    """
    random = np.random.default_rng(0)
    rows = []
    for i in range(NUMBER):
        labels = {"never": 0, "bright": int(random.random() < 0.4), "dark edge": int(random.random() < 0.5)}
        pixels = random.integers(0, 120, (8, 8)) + 6 * labels["bright"]
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{i:02}.png")
        rows.append([f"{i:02}.png", *map(str, labels.values())])
    write_table(folder / "labels.csv", ["file", "never", "bright", "dark edge"], rows)
    torch.manual_seed(0)
    stated = {"multi_label": True, "class_names": list(NAMES), "protocol": "digits", "dataset": "imagefolder", **facts}
    stated["architecture"] = architecture_values(ARCH)
    write_safetensors(folder / "net.safetensors", api.create_model(ARCH).state_dict(), stated)
    return folder / "net.safetensors"


def write_table(path: Path, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a CSV of labels."""
    path.write_text("\n".join(",".join(cells) for cells in [header, *rows]))
