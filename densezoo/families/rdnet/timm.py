"""What timm states of an RDNet beside its tensors: a training checkpoint's arguments, Hugging Face's config.json."""

from __future__ import annotations

from collections.abc import Mapping

from densezoo.errors import CheckpointError
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.types import Checkpoint, Description, NamedNetwork


def _network(rates: tuple[int, ...], num_init_features: int, halving: int) -> dict[str, object]:
    stages = len(rates)
    sizes = {"growth_rates": rates, "block_config": (3,) * stages, "num_init_features": num_init_features}
    return {**sizes, "downsample": (1, 2, halving), "attention": tuple(range(2, stages))}


#: {timm's name: fields of `RDNetArchitecture` of the network that it builds by it}: timm/models/rdnet.py.
NETWORKS: Mapping[str, Mapping[str, object]] = {
    "rdnet_tiny": _network((64, 104, 128, 128, 128, 128, 224), 64, 6),
    "rdnet_small": _network((64, *[128] * 8, 240, 240), 72, 9),
    "rdnet_base": _network((96, 128, *[168] * 7, 336, 336), 120, 9),
    "rdnet_large": _network((128, 192, *[256] * 8, 360, 360), 144, 10),
}
_KNOWN = ("in_chans", "num_classes", "drop_rate", "drop_path_rate")  # arguments that densezoo's network has, too


def timm_model(arch: RDNetArchitecture) -> tuple[str, Mapping[str, object]]:
    """The name of a network in timm; its arguments are never needed.

    Args:
        arch: the network.

    Raises:
        CheckpointError: timm has no name for it.
    """
    for name, fields in NETWORKS.items():
        if all(getattr(arch, field) == value for field, value in fields.items()):
            return name, {}
    raise CheckpointError(f"timm has no RDNet of these sizes; expected one of {', '.join(NETWORKS)}")


def named_networks(checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
    """The networks that a checkpoint's descriptions name by timm's names.

    Args:
        checkpoint: the file.

    Raises:
        CheckpointError: a description has arguments that densezoo's network doesn't take.
    """
    return tuple(network for description in checkpoint.descriptions for network in _networks(description))


def _networks(description: Description) -> tuple[NamedNetwork, ...]:
    by_train, facts = description.kind == "arguments", description.facts
    if by_train and "gp" not in facts:  # another script's
        return ()
    stated, arguments = (facts.get("model"), "model_kwargs") if by_train else (facts.get("architecture"), "model_args")
    name = str(stated or "").rpartition("/")[2].partition(".")[0].lower()
    if name not in NETWORKS:
        return (NamedNetwork(description.stated_in, name),) if _is_timm_s(name) else ()
    options = facts.get(arguments) or {}
    if not isinstance(options, Mapping) or not set(options) <= set(_KNOWN):
        raise CheckpointError(
            f"{description.stated_in}: says that the network has {arguments} {options!r:.80}; densezoo's RDNet takes "
            f"{', '.join(_KNOWN)}; nothing was loaded"
        )
    sizes = {key: value for key in _KNOWN[:2] if (value := options.get(key, facts.get(key))) is not None}
    return (NamedNetwork(description.stated_in, name, dict(options), {**NETWORKS[name], **sizes}),)


def _is_timm_s(name: str) -> bool:
    from timm import is_model  # here, because it takes longer to import than a file to read

    return bool(name) and bool(is_model(name))
