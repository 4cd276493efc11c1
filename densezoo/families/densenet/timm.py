"""What timm says of a network beside its tensors: the arguments in a training checkpoint, Hugging Face's config.json.

timm/utils/checkpoint_saver.py and timm/models/_hub.py write them. They are the only place that tells one activation,
pool, epsilon or blur from another: the tensors are the same. What tensors do show is held against them
(`densezoo.conversion.match`), so that the words of one network never describe the tensors of another.
"""

from __future__ import annotations

from collections.abc import Mapping

from densezoo.errors import CheckpointError
from densezoo.types import Checkpoint, Description, NamedNetwork


def _network(growth_rate: int, *block_config: int, **others: object) -> dict[str, object]:
    sizes = {"growth_rate": growth_rate, "block_config": block_config, "num_init_features": 2 * growth_rate}
    return {**sizes, "bn_size": 4, "reduction": 0.5, "stem": "imagenet", "aa_layer": None, **others}


#: {timm's name: fields of `DenseNetArchitecture` of the network that it builds by it}: timm/models/densenet.py.
NETWORKS: Mapping[str, Mapping[str, object]] = {
    "densenet121": _network(32, 6, 12, 24, 16),
    "densenetblur121d": _network(32, 6, 12, 24, 16, stem="deep", aa_layer="blurpool"),
    "densenet161": _network(48, 6, 12, 36, 24),
    "densenet169": _network(32, 6, 12, 32, 32),
    "densenet201": _network(32, 6, 12, 48, 32),
    "densenet264d": _network(48, 6, 12, 64, 48, stem="deep"),
    "densenet121d": _network(32, 6, 12, 24, 16, stem="deep"),  # this and the next: until timm 0.8
    "densenet264": _network(48, 6, 12, 64, 48),
}
_OTHERS = ("densenet264d_iabn",)  # DenseNets of timm's, until 0.8, that compute another function
#: {argument of timm's DenseNet: the field that it sets}.
_FIELDS = {
    "growth_rate": "growth_rate", "block_config": "block_config", "bn_size": "bn_size", "stem_type": "stem",
    "aa_stem_only": "aa_stem_only", "bn_eps": "bn_eps", "in_chans": "in_chans", "num_classes": "num_classes",
}  # fmt: skip
_STEMS = {"": "imagenet", "deep": "deep"}
#: {argument: the values that densezoo's network can have}.
_EXPRESSED: Mapping[str, tuple[object, ...]] = {
    "gp": ("avg", "fast"), "global_pool": ("avg", "fast"), "act_layer": ("relu",), "aa_layer": (),
    "norm_layer": ("batchnorm", "batchnorm2d"), "stem_type": tuple(_STEMS),
}  # fmt: skip
_IDLE = ("drop_rate", "proj_drop_rate", "memory_efficient", "device", "dtype")  # change no prediction
#: What a config.json or a run's arguments say beside the model's own arguments.
_BESIDE = ("gp", "global_pool", "act_layer", "norm_layer", "aa_layer", "aa_stem_only", "bn_eps", "in_chans")


def named_networks(checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
    """The networks that a checkpoint's descriptions name by timm's names.

    Raises:
        CheckpointError: a description makes of the network another function than densezoo's can be.
    """
    return tuple(network for description in checkpoint.descriptions for network in _networks(description))


def _networks(description: Description) -> tuple[NamedNetwork, ...]:
    """The network that a config.json or the arguments of timm's train.py name; none where they are another system's."""
    where, facts = description.stated_in, description.facts
    if description.kind == "arguments":
        return _described(where, facts.get("model"), facts, facts.get("model_kwargs") or {}) if "gp" in facts else ()
    arguments = facts.get("model_args") or {}
    for name, value in arguments.items() if isinstance(arguments, Mapping) else ():
        if value is None:
            raise CheckpointError(
                f"{where}: model_args has {name} null, which timm takes for none at all from a folder, and for what "
                "the network has anyway from create_model; leave it out"
            )
    return _described(where, facts.get("architecture"), facts, arguments)


def _described(where: str, name: object, beside: Mapping[str, object], arguments: object) -> tuple[NamedNetwork, ...]:
    """The network of a name and arguments, as ``timm.create_model`` builds it.

    Of a DenseNet that a user gave a name of their own, the arguments are what is known.
    """
    if not isinstance(name, str):
        return ()
    network = name.rpartition("/")[2].partition(".")[0].lower().removeprefix("tv_")
    if network not in NETWORKS:
        if set(":/") & set(name):  # a folder or repository, which may have any name
            return ()
        if network in _OTHERS or ("densenet" not in network and _is_timm_s(network)):
            return (NamedNetwork(where, network),)
        if "densenet" not in network:  # a name that a user gave a network
            return ()
    if not isinstance(arguments, Mapping):
        raise CheckpointError(f"{where}: expected the model's arguments by name; found {arguments!r:.60}")
    given = {name: beside.get(name) for name in (*_BESIDE, "num_classes")} | dict(arguments)
    given = {name: value for name, value in given.items() if value is not None}
    for argument, value in given.items():
        known = argument in _FIELDS or argument in _IDLE
        if value not in _EXPRESSED[argument] if argument in _EXPRESSED else not known:
            raise CheckpointError(
                f"{where}: says that the network has {argument} {value!r}, which densezoo's can't; nothing was loaded"
            )
    fields = dict(NETWORKS.get(network, {}))
    for argument, field in _FIELDS.items():
        if argument in given:
            value = given[argument]
            fields[field] = tuple(value) if isinstance(value, list) else value
    if "stem_type" in given:
        fields["stem"] = _STEMS[str(given["stem_type"])]
    if "num_init_features" in fields and isinstance(fields["growth_rate"], int):
        fields["num_init_features"] = 2 * fields["growth_rate"]
    pool = given.pop("gp", None)
    return (NamedNetwork(where, network, {**({"global_pool": pool} if pool else {}), **given}, fields),)


def _is_timm_s(network: str) -> bool:
    from timm import is_model  # here, because it takes longer to import than a file to read

    return bool(is_model(network))
