"""ImageNet-1k by the ingredients of timm's ``ra`` recipe: RandAugment, erasing, RMSprop, staircase, EMA.

timm names the ingredients for densenet121.ra_in1k (its tag ``ra``), not the numbers; these are the ones that it
published for EfficientNet-B2 (docs/training_hparam_examples.md: --opt rmsproptf --opt-eps .001 --sched step
--decay-epochs 2.4 --decay-rate .97 --warmup-lr 1e-6 --weight-decay 1e-5 --aa rand-m9-mstd0.5 --reprob 0.2
--model-ema-decay 0.9999 -b 128 on two GPUs --lr .016 --epochs 450, warm-up and label smoothing by default), without its
dropout and stochastic depth.
"""

model = dict(stem="imagenet", bn_size=4, reduction=0.5, num_classes=1000)
dataset = "imagenet1k"
protocol = "timm"
train = dict(
    epochs=450,
    batch_size=256,
    lr=0.016,
    optimiser="rmsprop",
    eps=1e-3,
    weight_decay=1e-5,
    decay_norms=False,
    schedule="staircase",
    decay_epochs=2.4,
    gamma=0.97,
    warmup_epochs=3.0,
    warmup_lr=1e-6,
    augmentation="resized_crop_flip",
    policy="rand-m9-mstd0.5",
    erasing=0.2,
    label_smoothing=0.1,
    ema=0.9999,
    precision="fp16",
    channels_last=True,
)
