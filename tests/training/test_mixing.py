from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.transforms import v2

from densezoo.training.mixing import as_shares, mix, smooth
from densezoo.types import Recipe

PLAIN = Recipe(epochs=1, batch_size=8)
ALPHAS = {"mixup": dataclasses.replace(PLAIN, mixup=0.8), "cutmix": dataclasses.replace(PLAIN, cutmix=0.8)}
IMAGES = torch.rand(8, 3, 16, 16, generator=torch.Generator().manual_seed(1))
LABELS = torch.tensor([0, 1, 2, 3, 4, 0, 1, 2])


def mixed(recipe: Recipe, seed: int = 0) -> tuple[Tensor, Tensor]:
    return mix(IMAGES, LABELS, 5, recipe, torch.Generator().manual_seed(seed))


def test_without_mixing_and_smoothing_nothing_changes() -> None:
    images, targets = mixed(PLAIN)
    assert images is IMAGES
    assert targets is LABELS


@pytest.mark.parametrize(("field", "transform"), [("mixup", v2.MixUp), ("cutmix", v2.CutMix)])
def test_it_is_torchvision_s(field: str, transform: type[v2.Transform]) -> None:
    """The same images and targets as torchvision's own transform from the drawn seed."""
    images, targets = mixed(ALPHAS[field])
    generator = torch.Generator().manual_seed(0)
    torch.rand(2, generator=generator)
    torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
    theirs = transform(alpha=0.8, num_classes=5)(IMAGES, LABELS)
    assert torch.equal(images, theirs[0])
    assert torch.equal(targets, theirs[1])
    assert not torch.equal(images, IMAGES)
    assert targets.dtype == torch.float32
    assert torch.allclose(targets.sum(1), torch.ones(8))


def test_each_of_both_has_its_own_alpha() -> None:
    recipe, kinds = dataclasses.replace(PLAIN, mixup=0.2, cutmix=5.0), set()
    for seed in range(6):
        images, targets = mixed(recipe, seed)
        generator = torch.Generator().manual_seed(seed)
        cut = torch.rand(2, generator=generator)[1].item() < 0.5
        torch.manual_seed(int(torch.randint(2**62, (1,), generator=generator)))
        theirs = (v2.CutMix(alpha=5.0, num_classes=5) if cut else v2.MixUp(alpha=0.2, num_classes=5))(IMAGES, LABELS)
        assert torch.equal(images, theirs[0])
        assert torch.equal(targets, theirs[1])
        kinds.add(cut)
    assert kinds == {True, False}


def test_all_follows_from_the_generator_alone() -> None:
    recipe = dataclasses.replace(PLAIN, mixup=0.8, cutmix=1.0)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = mixed(recipe)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(6)
    again, other = mixed(recipe), mixed(recipe, seed=1)
    assert torch.equal(first[0], again[0])
    assert torch.equal(first[1], again[1])
    assert not torch.equal(first[0], other[0])


def test_half_of_the_batches_get_each_and_as_many_as_are_asked_for_get_one() -> None:
    """Cutmix leaves every pixel one of the two images'; mixup none of them."""
    recipe = dataclasses.replace(PLAIN, mixup=1.0, cutmix=1.0, mix_probability=0.8)
    generator, kinds = torch.Generator().manual_seed(0), []
    for _ in range(200):
        images, targets = mix(IMAGES[:, :, :8, :8], LABELS, 5, recipe, generator)
        if targets.ndim == 1:
            kinds.append("none")
            continue
        own, other = IMAGES[:, :, :8, :8], IMAGES[:, :, :8, :8].roll(1, 0)
        kinds.append("cutmix" if ((images == own) | (images == other)).all() else "mixup")
    counts = {kind: kinds.count(kind) for kind in ("none", "mixup", "cutmix")}
    assert 25 <= counts["none"] <= 55
    assert 60 <= counts["mixup"] <= 100
    assert 60 <= counts["cutmix"] <= 100


@pytest.mark.parametrize("soft", [False, True])
def test_smoothed_targets_have_torch_s_loss(soft: bool) -> None:
    targets = as_shares(LABELS, 5).roll(1, 0) * 0.3 + as_shares(LABELS, 5) * 0.7 if soft else LABELS
    logits = torch.rand(8, 5, generator=torch.Generator().manual_seed(2))
    theirs = functional.cross_entropy(logits, targets, label_smoothing=0.1)
    smoothed = smooth(targets, 5, 0.1)
    assert smoothed.dtype == torch.float32
    assert torch.allclose(functional.cross_entropy(logits, smoothed), theirs)
    assert torch.equal(mixed(dataclasses.replace(PLAIN, label_smoothing=0.1))[1], smooth(LABELS, 5, 0.1))


def test_multi_label_images_are_smoothed_and_never_mixed() -> None:
    labels = torch.eye(8)[:, :5].round()
    recipe = dataclasses.replace(PLAIN, label_smoothing=0.2)
    images, targets = mix(IMAGES, labels, 5, recipe, torch.Generator())
    assert images is IMAGES
    assert torch.allclose(targets, torch.where(labels > 0, 0.9, 0.1))
