"""What each system can express of an RDNet, and how it builds, runs and writes one: one row a system."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from densezoo.families.rdnet import FAMILY
from densezoo.families.rdnet.architecture import RDNetArchitecture
from densezoo.families.rdnet.network import RDNet
from densezoo.families.systems import TORCH_EXTENSIONS, System, WeightFile, torch_writer, write_densezoo

TIMM_EPS = 1e-6  # of every norm of timm's network


def _build_timm(arch: RDNetArchitecture) -> nn.Module:
    from timm.models.rdnet import RDNet as TimmRDNet

    stages = range(len(arch.block_config))
    by_stage: dict[str, Any] = {  # timm's annotations are narrower than what it takes
        "growth_rates": arch.growth_rates,
        "num_blocks_list": arch.block_config,
        "block_type": ["BlockESE" if stage in arch.attention else "Block" for stage in stages],
        "is_downsample_block": [stage in arch.downsample for stage in stages],
    }
    network: nn.Module = TimmRDNet(
        in_chans=arch.in_chans,
        num_classes=arch.num_classes,
        **by_stage,
        bottleneck_width_ratio=arch.expansion,
        transition_compression_ratio=arch.reduction,
        patch_size=arch.patch_size,
        num_init_features=arch.num_init_features,
        drop_rate=arch.drop_rate,
        drop_path_rate=arch.drop_path_rate,
    )
    network.get_submodule("head.norm").eps = arch.head_norm_eps  # type: ignore[assignment]  # timm has no argument
    return network


def _run_timm(file: WeightFile, arch: RDNetArchitecture, images: Tensor) -> Tensor:
    if arch.head_norm_eps != TIMM_EPS:
        raise ValueError(
            f"its head's norm has an epsilon of {TIMM_EPS:.0e}; this network's has {arch.head_norm_eps:.0e}"
        )
    network = _build_timm(arch)
    network.load_state_dict(file.tensors())
    logits: Tensor = network.eval()(images)
    return logits


SYSTEMS: Mapping[str, System[RDNetArchitecture]] = {
    "densezoo": System(build=RDNet, write=write_densezoo, extensions=(".safetensors",)),
    "timm": System(
        only={"norm_eps": (TIMM_EPS,)},
        only_stored={"head_norm_eps": (TIMM_EPS,)},
        build=_build_timm,
        run=_run_timm,
        sources=("timm-rdnet",),
        write=torch_writer(FAMILY, "timm-rdnet"),
        extensions=TORCH_EXTENSIONS,
    ),
    # its package registers timm's names anew on import, so that it can't be run beside timm
    "naver": System(
        only={"norm_eps": (1e-6,)},
        only_stored={"head_norm_eps": (1e-5,)},
        sources=("naver-rdnet",),
        write=torch_writer(FAMILY, "naver-rdnet"),
        extensions=TORCH_EXTENSIONS,
    ),
}
