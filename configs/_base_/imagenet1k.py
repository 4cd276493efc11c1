"""ImageNet-1k as the authors trained it: fb.resnet.torch's schedule and augmentation.

https://arxiv.org/abs/1608.06993 section 4.2, https://github.com/liuzhuang13/DenseNet datasets/imagenet.lua.
"""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
train = dict(epochs=90, batch_size=256, lr=0.1, milestones=(30, 60), augmentation="resized_crop_colour_flip")
