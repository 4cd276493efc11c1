_base_ = "../_base_/imagenet1k_one_gpu.py"

model = dict(growth_rate=32, num_init_features=64, block_config=(6, 12, 24, 16))
