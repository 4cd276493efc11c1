"""Published as DenseNet-cosine-264 (k=48): https://arxiv.org/abs/1707.06990; cosine names the schedule."""

_base_ = "_base_/imagenet1k.py"

model = dict(growth_rate=48, num_init_features=96, block_config=(6, 12, 64, 48))
train = dict(epochs=100, milestones=())
