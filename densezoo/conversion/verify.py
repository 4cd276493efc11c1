"""Runs a file in its own system, if that is installed, and compares the converted network with it."""

from __future__ import annotations

import pickle
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from densezoo.conversion.match import recognise
from densezoo.families import family_of
from densezoo.families.base import Family
from densezoo.formats.detect import read_checkpoint
from densezoo.types import Architecture, NamedNetwork

LARGEST_ERROR = 1e-5  # separated right from wrong in every control that was tried: float32 rounding is 3e-7


@dataclass(frozen=True)
class _File:
    """The file that a system runs (`densezoo.families.systems.WeightFile`)."""

    path: Path
    family: Family[Any]

    def tensors(self) -> dict[str, Tensor]:
        """The tensors as torch.load reads them; those of a wrapper or of TorchScript as densezoo reads them."""
        try:
            content = torch.load(self.path, map_location="cpu", weights_only=True)
        except (RuntimeError, pickle.UnpicklingError):
            content = None
        if isinstance(content, dict) and all(isinstance(value, Tensor) for value in content.values()):
            return content
        checkpoint = read_checkpoint(self.path)
        prefix = recognise(checkpoint).prefix
        return {name.removeprefix(prefix): tensor for name, tensor in checkpoint.tensors.items()}

    def described(self) -> tuple[NamedNetwork, ...]:
        return self.family.named_networks(read_checkpoint(self.path))


def system_of(source: str, path: Path, arch: Architecture) -> str:
    """The system that runs a source's file; of several, the one that the file names, or that can express the network.

    Args:
        source: a key table's name, or a system's.
        path: the file.
        arch: the network that it holds.
    """
    family = family_of(arch)
    systems = family.systems
    fitting = [name for name, system in systems.items() if system.run and source in (name, *system.sources)]
    if len(fitting) > 1 and (described := _File(path, family).described()):
        return next((network.system for network in described if network.system in fitting), fitting[-1])
    return next((name for name in fitting if not systems[name].cannot_store(arch)), (fitting or [source])[-1])


def largest_error(system: str, path: Path, model: torch.nn.Module, arch: Architecture, images: Tensor) -> float | str:
    """The largest difference of the two networks' logits, relative to the largest logit.

    Args:
        system: the system that runs the file.
        path: the file.
        model: the converted network.
        arch: its architecture.
        images: (N, in_chans, H, W), float32.

    Returns:
        The difference; or as text why the file was not run: the system isn't installed, has no such network, doesn't
        take the file or the images, or densezoo can't run it.
    """
    family = family_of(arch)
    row = family.systems.get(system)
    if row is None or row.run is None:
        return "densezoo can't run this system"
    with torch.inference_mode(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the systems themselves, as they are imported
        expected = model(images)
        try:
            logits = row.run(_File(path, family), arch, images)
        except ImportError as error:
            return f"not installed: {error.name or system}"
        except (RuntimeError, ValueError, TypeError, KeyError, AssertionError, pickle.UnpicklingError) as error:
            return f"{system} doesn't take it: {' '.join(str(error).split())[:160]}"
    if logits.min() >= 0 and torch.allclose(logits.sum(1), torch.ones(len(logits)), atol=1e-4):
        expected = expected.softmax(1)  # a whole model ends in one
    return float((logits.double() - expected.double()).abs().max() / expected.double().abs().max())


def probe_images(arch: Architecture) -> Tensor:
    """Two images of noise (2, in_chans, H, W), always the same, so large that every layer has an effect on the logits.

    Args:
        arch: the network.
    """
    side = family_of(arch).smallest_side(arch)
    return torch.randn(2, arch.in_chans, side, side, generator=torch.Generator().manual_seed(0))
