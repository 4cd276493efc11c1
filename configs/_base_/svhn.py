"""SVHN, with dropout (https://arxiv.org/abs/1608.06993 section 4.2; the extra training images are not used here)."""

model = dict(stem="cifar", drop_rate=0.2, num_classes=10)
dataset = "svhn"
protocol = "svhn"
train = dict(epochs=40, batch_size=64, lr=0.1, milestones=(20, 30), augmentation="none")
