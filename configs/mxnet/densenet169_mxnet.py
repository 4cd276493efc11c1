_base_ = "../_base_/imagenet1k.py"

model = dict(growth_rate=32, num_init_features=64, block_config=(6, 12, 32, 32), bn_eps=1e-4, ceil_mode=True)
protocol = "mxnet"
