_base_ = "../_base_/mindvision.py"

model = dict(
    growth_rate=48, num_init_features=96, block_config=(6, 12, 36, 24), transition_pool="max", pool_padding="same"
)
