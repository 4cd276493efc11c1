_base_ = "../_base_/imagenet1k.py"

model = dict(
    growth_rate=32,
    num_init_features=64,
    block_config=(6, 12, 32, 32),
    bn_eps=1.1e-5,
    stem_padding="same",
    pool_padding="same",
)
protocol = "pudae"
