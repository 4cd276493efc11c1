"""CIFAR-10 without augmentation, hence with dropout (https://arxiv.org/abs/1608.06993 section 4.2)."""

model = dict(stem="cifar", drop_rate=0.2, num_classes=10)
dataset = "cifar10"
protocol = "cifar10"
train = dict(epochs=300, batch_size=64, lr=0.1, milestones=(150, 225), augmentation="none")
