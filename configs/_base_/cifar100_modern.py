"""CIFAR-100 in half of the paper's epochs: our choice.

The paper's augmentation; a cosine after a short warm-up in place of steps, five times its weight decay and none on
norms and biases, label smoothing, EMA and bf16.
"""

model = dict(stem="cifar", drop_rate=0.0, num_classes=100)
dataset = "cifar100"
protocol = "cifar100"
train = dict(
    epochs=150,
    batch_size=128,
    lr=0.2,
    weight_decay=5e-4,
    decay_norms=False,
    schedule="cosine",
    warmup_epochs=2.0,
    warmup_lr=0.01,
    augmentation="pad_crop_flip",
    label_smoothing=0.1,
    ema=0.999,
    precision="bf16",
    channels_last=True,
)
