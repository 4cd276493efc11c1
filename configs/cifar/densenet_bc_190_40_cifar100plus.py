_base_ = "../_base_/cifar100plus.py"

model = dict(growth_rate=40, num_init_features=80, block_config=(31, 31, 31), bn_size=4, reduction=0.5)
