"""https://arxiv.org/abs/1707.06990; its cosine variant: recipes/densenet264_cosine.py."""

_base_ = "_base_/imagenet1k.py"

model = dict(growth_rate=32, num_init_features=64, block_config=(6, 12, 64, 48))
