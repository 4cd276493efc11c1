"""Fine-tuning: DICE's network of CIFAR-10 on scikit-learn's digits at 32x32; its last block and its classifier alone.

densezoo train configs/digits/densenet_bc_100_12_dice_digits.py
"""

model = dict(
    stem="cifar",
    growth_rate=12,
    num_init_features=24,
    block_config=(16, 16, 16),
    bn_size=4,
    reduction=0.5,
    in_chans=3,
    num_classes=10,
)
dataset = "digits-32"
protocol = "cifar-dice"
train = dict(
    epochs=4,
    batch_size=32,
    lr=0.05,
    seed=0,
    evaluate_every=4,
    start=dict(
        weights="densenet_bc_100_12.dice_cifar10",
        freeze=("stem", "block1", "transition1", "block2", "transition2"),
    ),
)
