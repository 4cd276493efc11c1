"""Not the authors' 232: its second block has 32 layers where theirs has 12."""

_base_ = "../_base_/mindvision.py"

model = dict(
    growth_rate=48, num_init_features=96, block_config=(6, 32, 48, 48), transition_pool="max", pool_padding="same"
)
