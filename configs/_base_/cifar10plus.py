"""CIFAR-10+: padding, random crop and mirror, no dropout (https://arxiv.org/abs/1608.06993 section 4.2)."""

model = dict(stem="cifar", drop_rate=0.0, num_classes=10)
dataset = "cifar10"
protocol = "cifar10"
train = dict(epochs=300, batch_size=64, lr=0.1, milestones=(150, 225), augmentation="pad_crop_flip")
