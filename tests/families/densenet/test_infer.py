from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from densezoo.conversion.match import recognise
from densezoo.families.densenet.architecture import DenseNetArchitecture
from densezoo.families.densenet.infer import infer_architecture
from densezoo.families.densenet.network import DenseNet
from densezoo.types import Checkpoint


@settings(deadline=None, max_examples=30)
@given(
    st.builds(
        DenseNetArchitecture,
        growth_rate=st.integers(1, 12),
        block_config=st.lists(st.integers(1, 3), min_size=1, max_size=4).map(tuple),
        num_init_features=st.integers(8, 16),
        bn_size=st.none() | st.integers(1, 4),
        reduction=st.sampled_from([0.5, 1.0]),
        stem=st.sampled_from(["imagenet", "cifar", "deep"]),
        in_chans=st.integers(1, 4),
        num_classes=st.integers(1, 12),
    )
)
def test_the_architecture_is_in_the_tensors(arch: DenseNetArchitecture) -> None:
    with torch.device("meta"):
        tensors = dict(DenseNet(arch).state_dict())
    found = infer_architecture(recognise(Checkpoint("m.pth", "pytorch", tensors)))
    if len(arch.block_config) == 1:  # without a transition there is no reduction to see
        found = DenseNetArchitecture(**{**vars(found), "reduction": arch.reduction})
    assert found == arch
