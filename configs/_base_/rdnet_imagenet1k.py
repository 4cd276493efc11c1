"""RDNet on ImageNet-1k (https://arxiv.org/abs/2403.19588). Its recipe is not one of the configs."""

model = dict(family="rdnet", head_norm_eps=1e-5, num_classes=1000)
dataset = "imagenet1k"
protocol = "rdnet"
