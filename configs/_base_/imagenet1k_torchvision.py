"""ImageNet-1k by the defaults of torchvision's references/classification/train.py: 8 GPUs with 32 images each.

90 epochs, lr 0.1 divided by 10 every 30, momentum without Nesterov, random area and mirror. torchvision's own DenseNet
weights are not from it: they are the authors', converted.
"""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "torchvision"
train = dict(
    epochs=90,
    batch_size=256,
    lr=0.1,
    milestones=(30, 60),
    nesterov=False,
    augmentation="resized_crop_flip",
)
