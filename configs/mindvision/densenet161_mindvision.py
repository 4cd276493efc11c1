_base_ = "../_base_/imagenet1k.py"

model = dict(
    growth_rate=48, num_init_features=96, block_config=(6, 12, 36, 24), transition_pool="max", pool_padding="same"
)
protocol = "mindvision"
