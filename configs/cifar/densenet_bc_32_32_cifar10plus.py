"""The best that an hour on two CPU cores gives on CIFAR-10: early pooling, few and wide layers, bfloat16."""

model = dict(
    stem="cifar_pool",
    growth_rate=32,
    num_init_features=64,
    block_config=(4, 6, 4),
    bn_size=2,
    reduction=0.5,
    num_classes=10,
)
dataset = "cifar10"
protocol = "cifar10"
train = dict(
    epochs=34,
    batch_size=128,
    lr=0.2,
    schedule="cosine",
    warmup_epochs=4,
    weight_decay=5e-4,
    decay_norms=False,
    augmentation="pad_crop_flip",
    label_smoothing=0.1,
    precision="bf16",
    channels_last=True,
    ema=0.999,
    evaluate_every=4,
)
