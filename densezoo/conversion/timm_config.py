"""The config.json by which timm builds a network from a folder or from huggingface.co, and prepares its pictures."""

from __future__ import annotations

from collections.abc import Sequence

from densezoo.conversion.export import misfits
from densezoo.errors import CheckpointError
from densezoo.families import family_of
from densezoo.types import Architecture, Protocol


def timm_config(arch: Architecture, protocol: Protocol, class_names: Sequence[str] = ()) -> dict[str, object]:
    """What timm's ``create_model("local-dir:FOLDER")`` reads beside model.safetensors.

    Args:
        arch: the network.
        protocol: its own. timm resizes with Pillow: the exact steps are densezoo's alone, by the name that stands here.
        class_names: of the outputs; empty: nobody says.

    Raises:
        CheckpointError: timm can't build the network, or can't order its channels so.
    """
    family = family_of(arch)
    wrong = misfits("timm", arch)
    if protocol.channel_order == "BGR":
        wrong.append("channels in the order BGR")
    if wrong:
        raise CheckpointError(
            f"timm's {family.title} can't have {', '.join(wrong)}; write densezoo's own .safetensors, or "
            "densezoo push --no-timm"
        )
    name, arguments = family.timm_model(arch)
    layers = list(family.layers(arch))
    side = protocol.crop or protocol.image_size or 224
    return {
        "architecture": name,
        "num_classes": arch.num_classes,
        "num_features": family.stages(arch)[-1][0],
        **({"label_names": list(class_names)} if class_names else {}),
        "model_args": {**arguments, "in_chans": arch.in_chans},
        "pretrained_cfg": {
            "input_size": [arch.in_chans, side, side],
            "mean": [value / protocol.value_range for value in protocol.mean],
            "std": [value / protocol.value_range for value in protocol.std],
            "interpolation": protocol.interpolation or "bicubic",
            "crop_pct": protocol.crop_pct or 1.0,
            "crop_mode": "center",
            "num_classes": arch.num_classes,
            "first_conv": layers[0].name,
            "classifier": layers[-1].name,
        },
        "library_name": "timm",
        "densezoo_protocol": protocol.name,
    }
