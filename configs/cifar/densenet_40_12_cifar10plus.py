_base_ = "../_base_/cifar10plus.py"

model = dict(growth_rate=12, num_init_features=16, block_config=(12, 12, 12), bn_size=None, reduction=1.0)
