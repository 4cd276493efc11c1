"""ImageNet-1k as the technical report trained its cosine networks: imagenet1k.py with a cosine over 100 epochs.

https://arxiv.org/abs/1707.06990; the authors' code sets the rate anew at every step (train.lua, -lrShape cosine).
"""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
train = dict(epochs=100, batch_size=256, lr=0.1, schedule="cosine", augmentation="resized_crop_colour_flip")
