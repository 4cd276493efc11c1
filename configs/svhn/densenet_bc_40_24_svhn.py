_base_ = "../_base_/svhn.py"

model = dict(growth_rate=24, num_init_features=48, block_config=(6, 6, 6), bn_size=4, reduction=0.5)
