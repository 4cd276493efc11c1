"""What timm says of a network beside its tensors: the arguments in a training checkpoint, Hugging Face's config.json.

timm/utils/checkpoint_saver.py and timm/models/_hub.py write them. They are the only place that tells one activation,
pool, epsilon or blur from another: the tensors are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from densezoo.errors import CheckpointError, FormatError
from densezoo.formats.json_text import parse_json

#: Hugging Face's names for a model's weights, beside which its config.json lies.
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
MAX_CONFIG = 1 << 20
#: {network: what its tensors don't show}; every other DenseNet of timm's pools without a blur.
_NETWORKS: Mapping[str, Mapping[str, object]] = {"densenetblur121d": {"aa_layer": "blurpool"}}
#: {timm's argument: the values that densezoo's network can have}, None: as the network has it.
_POOLS, _NORMS = (None, "avg", "fast"), (None, "batchnorm", "batchnorm2d")
_EXPRESSED: Mapping[str, tuple[object, ...]] = {
    "gp": _POOLS, "global_pool": _POOLS, "act_layer": (None, "relu"), "norm_layer": _NORMS, "aa_layer": (None,),
}  # fmt: skip
#: {timm's argument: our field}.
_FIELDS = {"bn_eps": "bn_eps", "aa_stem_only": "aa_stem_only"}


def config_beside(path: Path) -> dict[str, object]:
    """What the config.json beside Hugging Face's weights says; nothing where there is none, or another system's.

    Raises:
        FormatError: it can't be read.
        CheckpointError: as for `stated_by_timm`.
    """
    config = path.with_name("config.json")
    if path.name not in WEIGHTS or not config.is_file():
        return {}
    try:
        if config.stat().st_size > MAX_CONFIG:
            raise ValueError(f"it takes more than {MAX_CONFIG:,} bytes")
        facts = parse_json(config.read_bytes(), str(config))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(f"{config}: describes {path.name}, and can't be read ({error!s:.100})") from None
    return stated_by_timm(config, facts, "architecture", "model_args") if isinstance(facts, dict) else {}


def stated_by_timm(where: Path, facts: Mapping[str, object], name: str, more: str) -> dict[str, object]:
    """{field of `Architecture`: value} that tensors don't show.

    Args:
        where: the file, for messages.
        facts: timm's arguments.
        name, more: those that hold the network's name and a mapping of further arguments.

    Raises:
        CheckpointError: an argument that makes it another function than densezoo's network can be.
    """
    network = str(facts.get(name)).rpartition("/")[2].partition(".")[0].removeprefix("tv_")
    if not network.startswith("densenet"):
        return {}
    inner = facts.get(more)
    given = {**facts, **(inner if isinstance(inner, Mapping) else {})}
    for argument, values in _EXPRESSED.items():
        if given.get(argument) not in values:
            raise CheckpointError(
                f"{where}: says that the network has {argument} {given[argument]!r}, which densezoo's can't; "
                "nothing was loaded"
            )
    stated = {field: given[argument] for argument, field in _FIELDS.items() if given.get(argument) is not None}
    return {"aa_layer": None, **_NETWORKS.get(network, {}), **stated}
