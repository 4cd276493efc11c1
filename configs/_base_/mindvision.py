"""ImageNet-1k by the README of MindSpore Vision: 300 epochs, no Nesterov, no weight decay; batches of its log."""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "mindvision"
train = dict(
    epochs=300,
    batch_size=64,
    lr=0.1,
    milestones=(150, 225),
    nesterov=False,
    weight_decay=0.0,
    augmentation="resized_crop_flip",
)
