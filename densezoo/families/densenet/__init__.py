"""DenseNet: https://arxiv.org/abs/1608.06993."""
