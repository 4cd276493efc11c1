"""RDNet on ImageNet-1k (https://arxiv.org/abs/2403.19588). Its recipe (AdamW, mixup, cutmix) can't be trained here."""

model = dict(family="rdnet", head_norm_eps=1e-5, num_classes=1000)
dataset = "imagenet1k"
protocol = "rdnet"
