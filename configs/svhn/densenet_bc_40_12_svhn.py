_base_ = "../_base_/svhn.py"

model = dict(growth_rate=12, num_init_features=24, block_config=(6, 6, 6), bn_size=4, reduction=0.5)
