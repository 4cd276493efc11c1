"""With 2k initial channels, as the authors' released code and hysts' have them; the paper's plain networks have 16."""

_base_ = "../_base_/cifar10plus.py"

model = dict(growth_rate=12, num_init_features=24, block_config=(32, 32, 32), bn_size=None, reduction=1.0)
