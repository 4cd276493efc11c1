_base_ = "../_base_/mindvision.py"

model = dict(
    growth_rate=32, num_init_features=64, block_config=(6, 12, 32, 32), transition_pool="max", pool_padding="same"
)
