_base_ = "../_base_/cifar100.py"

model = dict(growth_rate=24, num_init_features=16, block_config=(32, 32, 32), bn_size=None, reduction=1.0)
