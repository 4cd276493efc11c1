_base_ = "../_base_/imagenet1k.py"

model = dict(growth_rate=48, num_init_features=96, block_config=(6, 12, 36, 24), bn_eps=1e-4, ceil_mode=True)
protocol = "mxnet"
