_base_ = "_base_/rdnet_imagenet1k.py"

model = dict(
    growth_rates=(64, 128, 128, 128, 128, 128, 128, 128, 128, 240, 240),
    block_config=(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3),
    num_init_features=72,
    downsample=(1, 2, 9),
    attention=(2, 3, 4, 5, 6, 7, 8, 9, 10),
    drop_path_rate=0.35,
)
