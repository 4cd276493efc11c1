"""The device that a network runs on."""

from __future__ import annotations

import torch

from densezoo.errors import BackendError, ConfigError


def choose_device(name: str | None) -> str:
    """The device that a network runs on.

    Args:
        name: "cpu", "cuda", "cuda:1", ...; None: the GPU if there is one, else the CPU.

    Raises:
        ConfigError: torch doesn't know the device, or the machine doesn't have it.
    """
    if name is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(f"--device {name}: {str(error).partition(chr(10))[0]}") from None
    return name


def check_is_cpu(backend: str, device: str) -> torch.device:
    """The CPU, for a backend that computes there alone.

    Args:
        backend: its name, for the message.
        device: that was asked for.

    Raises:
        BackendError: another device.
    """
    if torch.device(device).type != "cpu":
        raise BackendError(f"backend {backend} computes on the CPU alone, and not on {device}; choose --device cpu")
    return torch.device(device)
