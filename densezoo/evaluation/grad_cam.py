"""Which parts of an image speak for a class: Grad-CAM, Selvaraju et al. (2017), https://arxiv.org/abs/1610.02391.

A layer gives maps A_k. The weight of a map is the mean over its pixels of the gradient of the class's logit; the answer
is ReLU(sum of weight_k x A_k), over its largest value.
"""

from __future__ import annotations

from typing import Any, TypeGuard

import torch
from torch import Tensor, nn

from densezoo.errors import ConfigError, UnknownNameError


def grad_cam(
    network: nn.Module, image: Tensor, layer: str | None = None, label: int | None = None
) -> tuple[Tensor, Tensor]:
    """(the map (h, w), 0 to 1, of the layer's size; the logits (num_classes,)) of one image.

    The map is zero everywhere where no part speaks for the class.

    Args:
        network: in eval mode, with ``forward_features`` and ``forward_head``.
        image: (1, C, H, W), normalised.
        layer: name of a module; None: the last feature maps, which the head takes the mean of.
        label: the class that is explained; None: the one with the highest logit.

    Raises:
        UnknownNameError: the network has no such layer.
        ConfigError: the layer gives no maps; there is no such class.
    """
    with torch.enable_grad():
        image = image.detach().clone().requires_grad_()  # so that the graph reaches any layer, also of frozen weights
        maps, logits = _last_maps(network, image) if layer is None else _maps_of(network, image, layer)
        label = int(logits[0].argmax()) if label is None else label
        if not 0 <= label < logits.shape[1]:
            raise ConfigError(f"there is no class {label}; expected 0 to {logits.shape[1] - 1}")
        (gradients,) = torch.autograd.grad(logits[0, label], maps)
    weights = gradients.mean((2, 3), keepdim=True)
    heat = (weights * maps.detach()).sum(1)[0].relu()
    return heat / heat.max().clamp(min=torch.finfo(heat.dtype).tiny), logits.detach()[0]


def layers_with_maps(network: nn.Module, image: Tensor) -> list[str]:
    """The names of the modules that give maps (1, C, h, w) of more than one pixel, in the order in which they run.

    Args:
        network: in eval mode, with ``forward_features`` and ``forward_head``.
        image: (1, C, H, W), normalised.
    """
    names = {module: name for name, module in network.named_modules() if name}
    layers: dict[str, None] = {}

    def note(module: nn.Module, _: object, output: object) -> None:
        if _is_map(output):
            layers[names[module]] = None

    handles = [module.register_forward_hook(note) for module in names]
    try:
        with torch.no_grad():
            network(image)
    finally:
        for handle in handles:
            handle.remove()
    return list(layers)


def _last_maps(network: Any, image: Tensor) -> tuple[Tensor, Tensor]:  # torch types no method of a module's own
    maps: Tensor = network.forward_features(image)
    return maps, network.forward_head(maps)


def _maps_of(network: nn.Module, image: Tensor, layer: str) -> tuple[Tensor, Tensor]:
    """The maps that a layer gives, and the logits that follow from them."""
    modules = dict(network.named_modules())
    if not layer or layer not in modules:
        usable = layers_with_maps(network, image.detach())
        raise UnknownNameError("layer", layer, usable, f"the last ones are {', '.join(usable[-3:])}")
    kept: list[object] = []

    def keep(_: nn.Module, __: object, output: object) -> object:
        kept.append(output)
        return output.clone() if isinstance(output, Tensor) else output  # a ReLU in place would change what is kept

    handle = modules[layer].register_forward_hook(keep)
    try:
        logits: Tensor = network(image)
    finally:
        handle.remove()
    maps = kept[0] if kept else None
    if not _is_map(maps):
        gives = f"gives {tuple(maps.shape)}" if isinstance(maps, Tensor) else "gives no tensor"
        usable = layers_with_maps(network, image.detach())
        raise ConfigError(f"layer {layer} {gives}; expected maps (1, C, h, w), as {', '.join(usable[-3:])} have them")
    return maps, logits


def _is_map(output: object) -> TypeGuard[Tensor]:
    return isinstance(output, Tensor) and output.ndim == 4 and output.shape[2] * output.shape[3] > 1
