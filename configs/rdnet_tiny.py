_base_ = "_base_/rdnet_imagenet1k.py"

model = dict(
    growth_rates=(64, 104, 128, 128, 128, 128, 224),
    block_config=(3, 3, 3, 3, 3, 3, 3),
    num_init_features=64,
    downsample=(1, 2, 6),
    attention=(2, 3, 4, 5, 6),
    drop_path_rate=0.15,
)
