"""densenet121's blocks at a growth rate of 12, for small images."""

_base_ = "../_base_/cifar100plus.py"

model = dict(growth_rate=12, num_init_features=24, block_config=(6, 12, 24, 16), bn_size=4, reduction=0.5)
protocol = "cifar100-detectors"
