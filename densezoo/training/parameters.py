"""The parameters of a network in groups, each with its learning rate's factor and its weight decay."""

from __future__ import annotations

import math
from collections.abc import Mapping

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from densezoo.errors import ConfigError, UnknownNameError
from densezoo.families.stages import layers_by_stage
from densezoo.training.optimisers import Groups
from densezoo.types import Architecture, Recipe, Start


def parameter_groups(network: nn.Module, recipe: Recipe, architecture: Architecture) -> Groups:
    """Freeze the stages that the recipe freezes; return the other parameters in groups, each parameter once.

    A frozen stage's parameters get no gradients, and its batch norms stay in eval mode when the network is set to
    training, so that their statistics stay as they are.

    Args:
        network: densezoo's module, bare: before it is compiled or wrapped for several processes, and after its batch
            norms are replaced by synchronised ones.
        recipe: its ``start``, ``layer_decay``, ``decay_norms`` and ``weight_decay`` are used.
        architecture: of the network.

    Returns:
        Groups for an optimiser of torch: {"params": a list, "names": theirs, "stage": its name, "lr_scale": factor of
        the learning rate, "weight_decay": a factor a step}, in the order in which the input passes the stages.

    Raises:
        UnknownNameError: a stage that the network doesn't have; names the nearest.
        ConfigError: no stage is left to train; a factor below 0, or one for a frozen stage.
    """
    scales = learning_rate_scales(recipe, architecture)
    parameters = dict(network.named_parameters())
    groups: Groups = []
    for stage, layers in layers_by_stage(architecture).items():
        names = [f"{layer.name}.{name}" for layer in layers for name in layer.shapes if not name.startswith("running_")]
        own = {name: parameters.pop(name) for name in names}
        if stage not in scales:
            for layer in layers:
                _freeze(network.get_submodule(layer.name))
            for parameter in own.values():
                parameter.requires_grad_(False)
            continue
        for decays in (True, False):
            chosen = [name for name in names if (recipe.decay_norms or _is_matrix(own[name])) == decays]
            if chosen:
                decay = recipe.weight_decay if decays else 0.0
                group = {"stage": stage, "lr_scale": scales[stage], "weight_decay": decay}
                groups.append({"params": [own[name] for name in chosen], "names": chosen, **group})
    assert not parameters, f"in no stage of the family: {', '.join(parameters)}"
    return groups


def learning_rate_scales(recipe: Recipe, architecture: Architecture) -> Mapping[str, float]:
    """{stage that is trained: factor of the learning rate}, in the order in which the input passes them.

    Args:
        recipe: its ``start`` and ``layer_decay`` are used.
        architecture: of the network.

    Raises:
        UnknownNameError: a stage that the network doesn't have; names the nearest.
        ConfigError: no stage is left to train; a factor below 0, or one for a frozen stage.
    """
    stages = list(layers_by_stage(architecture))
    start = recipe.start or Start("")
    for name in (*start.freeze, *start.lr_scales):
        if name not in stages:
            raise UnknownNameError("stage", name, stages)
    trained = [stage for stage in stages if stage not in start.freeze]
    if not trained:
        raise ConfigError("train.start.freeze: every stage is frozen; leave out those that are to be trained")
    for stage, scale in start.lr_scales.items():
        if stage in start.freeze:
            raise ConfigError(f"train.start: {stage} is frozen and has a learning rate in lr_scales; leave one out")
        if not (scale > 0 and math.isfinite(scale)):
            raise ConfigError(f"train.start.lr_scales: {stage} is {scale}; expected a positive number, or freeze it")
    depth = {stage: len(stages) - 1 - i for i, stage in enumerate(stages)}
    return {stage: start.lr_scales.get(stage, 1.0) * recipe.layer_decay ** depth[stage] for stage in trained}


def _is_matrix(parameter: nn.Parameter) -> bool:
    """Whether it is the weight of a convolution or a linear layer: no bias, no gain, no norm's."""
    return parameter.ndim > 1


def _freeze(module: nn.Module) -> None:
    """Keep a batch norm in eval mode whatever mode its network is set to; other modules stay as they are."""
    if isinstance(module, _BatchNorm):
        module.eval()
        module.train = _StaysInEval(module)  # type: ignore[assignment]  # an object called as the method is


class _StaysInEval:
    """In place of a module's ``train``: leaves the mode as it is. A class, so that a copied network keeps its own."""

    def __init__(self, module: nn.Module) -> None:
        self.module = module

    def __call__(self, mode: bool = True) -> nn.Module:
        return self.module
