_base_ = "../_base_/cifar100.py"

model = dict(growth_rate=36, num_init_features=72, block_config=(6, 6, 6), bn_size=4, reduction=0.5)
