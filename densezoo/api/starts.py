"""Commented starts of the files that a user writes: a metafile with its index, a config, a protocol.

Each is accepted by its own checker as it is written. Importing this imports no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from densezoo.errors import ConfigError
from densezoo.files import write_atomically
from densezoo.protocols import get_protocol
from densezoo.protocols.text import protocol_text

INTRODUCTION = (
    "How an image file becomes what a network gets: densezoo test, predict and features take this file by --protocol. "
    "Fields that are left out have densezoo's defaults. A result under it is named after it, with the first digits of "
    "the sha256 of its fields, and is never taken for one under a protocol of densezoo's."
)

CONFIG = '''\
"""What is run: network, data, protocol, schedule. Literals only; densezoo reads this file and never executes it."""

# The network. One of densezoo's: densezoo show densenet121. Every field: densezoo/families/densenet/architecture.py.
model = dict(
    stem="imagenet",  # "cifar": one 3x3 convolution, for images of about 32 pixels
    growth_rate=32,
    num_init_features=64,
    block_config=(6, 12, 24, 16),  # densenet121; 169: (6, 12, 32, 32)
    in_chans=3,  # 1: grey images, with a protocol whose channel_order is L
    num_classes=1000,
)
# A folder of class folders, below train/ and val/. Others: densezoo test --dataset '?'.
dataset = "imagefolder"
# How images are prepared: a name of docs/protocols.md, or your own file (densezoo new protocol mine.yml).
protocol = "torchvision"
# How it is trained; a config for evaluation alone leaves this out. Every field: docs/training.md.
train = dict(epochs=90, batch_size=256, lr=0.1, augmentation="resized_crop_flip")
'''

METAFILE = """\
# What {name} publishes: where its weights come from, and what it claims for them. densezoo check_index holds every
# number here against the network. Texts are never empty; leave out what isn't known.
Collections:
- Name: {name}
  Metadata:
    Architecture: [Convolution, Batch Normalization, ReLU, Dense Block]
  # License: Apache-2.0
  Paper:
    Title: Densely Connected Convolutional Networks
    URL: https://arxiv.org/abs/1608.06993
  Code:
    URL: https://example.org/{name}

Models:
# Lower case: the architecture, a dot, and whose training on what.
- Name: densenet121.{name}_in1k
  In Collection: {name}
  # The network: a config beside the index (densezoo new config configs/mine.py), or one of densezoo's.
  Config: configs/densenet121.py
  # A name of docs/protocols.md, or a file beside the index (densezoo new protocol mine.yml).
  Protocol: torchvision
  Metadata:
    Parameters: 7978856
    # Side in pixels of the images that FLOPs are counted at, and multiply-adds of convolutions and classifier.
    Image Size: 224
    FLOPs: 2834161664
  # Results:
  # - Task: Image Classification
  #   Dataset: imagenet1k
  #   Protocol: torchvision
  #   Metrics:
  #     Top 1 Accuracy: 74.43
  #   Published By: {name}
  #   Where: the report of 2026-01-31
  # Weight Files:
  # - Path: densenet121.pth    # beside the index; or URL: https://...
  #   Framework: torch
  #   Format: pickle
  #   Keymap: torchvision
  #   SHA256: ...              # 64 digits, so that results are known to be of these weights
"""

INDEX = """\
# A private index: --index FILE or DENSEZOO_INDEX puts it beside densezoo's. Results are stored in results/ beside it.
Import:
- {metafile}
"""


def _protocol(path: Path) -> str:
    return protocol_text(get_protocol("torchvision"), path.stem, INTRODUCTION)


#: {what a start is of: path -> its text}.
STARTS: Mapping[str, Callable[[Path], str]] = {
    "config": lambda path: CONFIG,
    "metafile": lambda path: METAFILE.format(name=path.stem.lower()),
    "protocol": _protocol,
}
_ENDINGS = {"config": ".py", "metafile": ".yml", "protocol": ".yml"}


def write_start(kind: str, path: str | Path) -> list[Path]:
    """Write a commented start; with a metafile also the index that imports it, if there is none yet.

    Args:
        kind: "config", "metafile" or "protocol".
        path: of the file; its folder is made if need be. A metafile's index is in the folder above it.

    Returns:
        The files that were written.

    Raises:
        ConfigError: the file is there already, has another extension, or can't be written.
    """
    path = Path(path).expanduser()
    if path.suffix != _ENDINGS[kind]:
        raise ConfigError(f"{path}: expected a name that ends in {_ENDINGS[kind]} for a {kind}")
    texts = {path: STARTS[kind](path)}
    index = path.absolute().parent.parent / "model-index.yml"
    if kind == "metafile" and not index.exists():
        texts[index] = INDEX.format(metafile=path.absolute().relative_to(index.parent).as_posix())
    if path.exists():
        raise ConfigError(f"{path}: is there already; a start would replace it: choose another name")
    try:
        for file, text in texts.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(file, text)
    except OSError as error:
        raise ConfigError(f"{path}: can't be written ({error.strerror}); choose another folder") from None
    return list(texts)
