"""What describes a network beside its tensors: Hugging Face's config.json, the arguments of the run that trained it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from densezoo.errors import FormatError
from densezoo.formats.containers.json import parse_json
from densezoo.types import Description

#: Hugging Face's names for a model's weights, beside which its config.json lies.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
MAX_CONFIG = 1 << 20  # bytes


def config_beside(path: Path) -> tuple[Description, ...]:
    """The config.json beside Hugging Face's weights; empty if there is none or it holds no mapping.

    Args:
        path: the file of weights.

    Raises:
        FormatError: it can't be read.
    """
    config = path.with_name("config.json")
    if path.name not in WEIGHTS or not config.is_file():
        return ()
    try:
        if config.stat().st_size > MAX_CONFIG:
            raise ValueError(f"it takes more than {MAX_CONFIG:,} bytes")
        facts = parse_json(config.read_bytes(), str(config))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{config}: describes {path.name}, and can't be read ({error!s:.100}); repair it or move it away"
        ) from None
    return (Description(str(config), "config", facts),) if isinstance(facts, dict) else ()


def run_arguments(path: Path, arguments: object) -> tuple[Description, ...]:
    """The arguments of the training run that a checkpoint keeps beside the weights; empty if it keeps none.

    Args:
        path: the checkpoint.
        arguments: its entry "args"; anything but a mapping is ignored.
    """
    if not isinstance(arguments, Mapping):
        return ()
    return (Description(f"{path}, in its training arguments", "arguments", arguments),)
