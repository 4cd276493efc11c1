"""The embedded default: scikit-learn's digits, 8x8 grey scans, trained in a minute on two CPU cores (`make demo`)."""

model = dict(
    stem="cifar",
    growth_rate=8,
    num_init_features=16,
    block_config=(3, 3, 3),
    bn_size=4,
    reduction=0.5,
    in_chans=1,
    num_classes=10,
)
dataset = "digits"
protocol = "digits"
train = dict(epochs=30, batch_size=32, lr=0.1, augmentation="shift", seed=0)
