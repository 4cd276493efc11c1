_base_ = "../_base_/cifar10plus.py"

model = dict(
    stem="cifar_pool", growth_rate=48, num_init_features=96, block_config=(6, 12, 36, 24), bn_size=4, reduction=0.5
)
protocol = "cifar-huyvnphan"
