"""ImageNet-1k in 100 epochs on one GPU: our choice.

The ingredients are those of torchvision's newer recipe (references/classification/README.md, its new weights) at a
sixth of its epochs: TrivialAugment, erasing, label smoothing, mixup milder, as 100 epochs take less of it; trained at
176 pixels and measured at 224; no weight decay on norms and biases; EMA. 1,024 images a step, four times 256, for the
memory of one GPU.
"""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
train = dict(
    epochs=100,
    batch_size=1024,
    accumulate=4,
    lr=0.5,
    weight_decay=5e-5,
    decay_norms=False,
    schedule="cosine",
    warmup_epochs=5.0,
    warmup_lr=0.005,
    augmentation="resized_crop_flip",
    image_size=176,
    policy="ta_wide",
    erasing=0.1,
    mixup=0.1,
    label_smoothing=0.1,
    ema=0.9998,
    precision="bf16",
    channels_last=True,
)
