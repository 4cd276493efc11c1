"""A few of scikit-learn's digits as files, for the network that ships with densezoo."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from densezoo.data.datasets import open_dataset

MODEL = "densenet_bc_22_8.densezoo_digits"


def digit_pictures(folder: Path, number: int = 6) -> list[int]:
    """Write ``0.png``, ``1.png``, ... into a folder; return their digits.

    Args:
        folder: is made if need be.
        number: of files.
    """
    images = open_dataset("digits", None)
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(number):
        Image.fromarray(np.asarray(images.read(index))).save(folder / f"{index}.png")
    return list(images.labels[:number])
