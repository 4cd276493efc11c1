"""What timm states of a network beside its tensors: a training checkpoint's arguments, Hugging Face's config.json.

timm/utils/checkpoint_saver.py and timm/models/_hub.py write them. Only they tell activations, pools, epsilons and blurs
apart, for which the tensors are the same. `densezoo.conversion.match` compares them with what the tensors show, so that
the description of one network is never used for the tensors of another.
"""

from __future__ import annotations

from collections.abc import Mapping

from densezoo.errors import CheckpointError
from densezoo.families.densenet.architecture import DenseNetArchitecture
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
_OTHER_FUNCTIONS = ("densenet264d_iabn",)  # DenseNets of timm until 0.8 that compute another function
#: {argument of timm's DenseNet: the field that it sets}.
_FIELDS = {
    "growth_rate": "growth_rate", "block_config": "block_config", "bn_size": "bn_size", "stem_type": "stem",
    "aa_stem_only": "aa_stem_only", "bn_eps": "bn_eps", "in_chans": "in_chans", "num_classes": "num_classes",
}  # fmt: skip
_SIZES = ("growth_rate", "block_config", "bn_size")
_STEMS = {"": "imagenet", "deep": "deep"}
#: {argument: the values that densezoo's network can have}.
_EXPRESSED: Mapping[str, tuple[object, ...]] = {
    "gp": ("avg", "fast"), "global_pool": ("avg", "fast"), "act_layer": ("relu",), "aa_layer": (),
    "norm_layer": ("batchnorm", "batchnorm2d"), "stem_type": tuple(_STEMS),
}  # fmt: skip
_IDLE = ("drop_rate", "proj_drop_rate", "memory_efficient", "device", "dtype")  # arguments that change no prediction
#: Arguments of the model that a config.json or a run's arguments state outside "model_args" or "model_kwargs".
_BESIDE = ("gp", "global_pool", "act_layer", "norm_layer", "aa_layer", "aa_stem_only", "bn_eps", "in_chans")


def timm_model(arch: DenseNetArchitecture) -> tuple[str, Mapping[str, object]]:
    """The name of a network in timm, and the arguments in which it differs from the network of that name.

    Args:
        arch: the network, which timm can express.
    """
    fields = {field: getattr(arch, field) for field in NETWORKS["densenet121"]}
    for name in list_timm():
        if fields == dict(NETWORKS[name]):
            return name, {}
    base = "densenetblur121d" if arch.aa_layer else "densenet121"
    stems = {stem: word for word, stem in _STEMS.items()}
    arguments = {argument: getattr(arch, field) for argument, field in _FIELDS.items() if argument in _SIZES}
    return base, {**arguments, "stem_type": stems[arch.stem], "aa_stem_only": arch.aa_stem_only}


def list_timm() -> list[str]:
    """The names in NETWORKS that the installed timm has."""
    return [name for name in NETWORKS if _is_timm_s(name)]


def named_networks(checkpoint: Checkpoint) -> tuple[NamedNetwork, ...]:
    """The networks that a checkpoint's descriptions name by timm's names.

    Args:
        checkpoint: the file.

    Raises:
        CheckpointError: a description has arguments that densezoo's network can't have.
    """
    return tuple(network for description in checkpoint.descriptions for network in _networks(description))


def _networks(description: Description) -> tuple[NamedNetwork, ...]:
    """The network that a config.json or the arguments of timm's train.py name; none if they are another system's."""
    stated_in, facts = description.stated_in, description.facts
    if description.kind == "arguments":
        return (
            _described(stated_in, facts.get("model"), facts, facts.get("model_kwargs") or {}) if "gp" in facts else ()
        )
    arguments = facts.get("model_args") or {}
    for name, value in arguments.items() if isinstance(arguments, Mapping) else ():
        if value is None:
            raise CheckpointError(
                f"{stated_in}: model_args has {name} null, which timm reads as None from a folder, and as the "
                "default in create_model; leave it out"
            )
    return _described(stated_in, facts.get("architecture"), facts, arguments)


def _described(
    stated_in: str, name: object, beside: Mapping[str, object], arguments: object
) -> tuple[NamedNetwork, ...]:
    """The network of a name and arguments, as ``timm.create_model`` builds it.

    Of a DenseNet whose name is a user's own, only the arguments are known.
    """
    if not isinstance(name, str):
        return ()
    network = name.rpartition("/")[2].partition(".")[0].lower().removeprefix("tv_")
    if network not in NETWORKS:
        if set(":/") & set(name):  # a folder or repository, which may have any name
            return ()
        if network in _OTHER_FUNCTIONS or ("densenet" not in network and _is_timm_s(network)):
            return (NamedNetwork(stated_in, network),)
        if "densenet" not in network:  # a name that a user gave a network
            return ()
    if not isinstance(arguments, Mapping):
        raise CheckpointError(f"{stated_in}: expected the model's arguments by name; found {arguments!r:.60}")
    merged = {name: beside.get(name) for name in (*_BESIDE, "num_classes")} | dict(arguments)
    options = {name: value for name, value in merged.items() if value is not None}
    for argument, value in options.items():
        is_known = argument in _FIELDS or argument in _IDLE
        if value not in _EXPRESSED[argument] if argument in _EXPRESSED else not is_known:
            raise CheckpointError(
                f"{stated_in}: says that the network has {argument} {value!r}, which densezoo's can't; nothing was "
                "loaded"
            )
    fields = dict(NETWORKS.get(network, {}))
    for argument, field in _FIELDS.items():
        if argument in options:
            value = options[argument]
            fields[field] = tuple(value) if isinstance(value, list) else value
    if "stem_type" in options:
        fields["stem"] = _STEMS[str(options["stem_type"])]
    if "num_init_features" in fields and isinstance(fields["growth_rate"], int):
        fields["num_init_features"] = 2 * fields["growth_rate"]
    pool = options.pop("gp", None)
    return (NamedNetwork(stated_in, network, {**({"global_pool": pool} if pool else {}), **options}, fields),)


def _is_timm_s(network: str) -> bool:
    from timm import is_model  # here, because it takes longer to import than a file to read

    return bool(is_model(network))
