_base_ = "_base_/rdnet_imagenet1k.py"

model = dict(
    growth_rates=(128, 192, 256, 256, 256, 256, 256, 256, 256, 256, 360, 360),
    block_config=(3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3),
    num_init_features=144,
    downsample=(1, 2, 10),
    attention=(2, 3, 4, 5, 6, 7, 8, 9, 10, 11),
    drop_path_rate=0.6,
)
protocol = "rdnet-384"
