"""CIFAR-100 without augmentation, hence with dropout (https://arxiv.org/abs/1608.06993 section 4.2)."""

model = dict(stem="cifar", drop_rate=0.2, num_classes=100)
dataset = "cifar100"
protocol = "cifar100"
train = dict(epochs=300, batch_size=64, lr=0.1, milestones=(150, 225), augmentation="none")
