"""Five images of four ImageNet classes, to be written in any layout."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from PIL import Image
from unusual_images import encoded, noise

from densezoo.data.images import ImageSet

WNIDS = ["n01440764", "n01443537", "n01484850", "n15075141"]  # labels 0, 1, 2 and 999
LABELS = [999, 0, 2, 0, 1]  # of ILSVRC2012_val_00000001 to ...5
BY_LABEL = dict(zip([0, 1, 2, 999], WNIDS))
NAMES = [f"ILSVRC2012_val_{i:08d}.JPEG" for i in range(1, 6)]


def image(seed: int) -> bytes:
    return encoded(Image.fromarray(noise(9, 7, seed=seed)), "PNG")


IMAGES = [image(i) for i in range(5)]


def write(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def flat(root: Path) -> Path:
    for name, content in zip(NAMES, IMAGES):
        write(root / name, content)
    return root


def class_folders(root: Path) -> Path:
    for name, content, label in zip(NAMES, IMAGES, LABELS):
        write(root / BY_LABEL[label] / name, content)
    return root


def tarred(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def facts(images: ImageSet) -> list[tuple[str, int, bytes]]:
    return [(images.ids[i], images.labels[i], bytes(images.read(i))) for i in range(len(images))]


EXPECTED = sorted((f"{BY_LABEL[label]}/{name}", label, content) for name, label, content in zip(NAMES, LABELS, IMAGES))
