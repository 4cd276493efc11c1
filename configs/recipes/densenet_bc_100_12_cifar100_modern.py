_base_ = "../_base_/cifar100_modern.py"

model = dict(growth_rate=12, num_init_features=24, block_config=(16, 16, 16), bn_size=4, reduction=0.5)
