from __future__ import annotations

import pytest
import torch
from timm.loss.binary_cross_entropy import BinaryCrossEntropy
from torch import Tensor
from torch.nn import functional

from densezoo.errors import UnknownNameError
from densezoo.training.losses import LOSSES, Loss, get_loss
from densezoo.training.mixing import as_shares, smooth
from densezoo.types import Recipe

RECIPE = Recipe(epochs=1, batch_size=6)
LOGITS = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 1])
WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 4.0])


def test_cross_entropy_is_torch_s() -> None:
    assert torch.equal(
        get_loss("cross_entropy")(RECIPE, None)(LOGITS, LABELS), functional.cross_entropy(LOGITS, LABELS)
    )
    weighted = get_loss("cross_entropy")(RECIPE, WEIGHTS)
    assert torch.equal(weighted(LOGITS, LABELS), functional.cross_entropy(LOGITS, LABELS, WEIGHTS))


def test_weights_mean_the_same_of_labels_and_of_shares() -> None:
    """torch itself divides by another number for shares: by that of images."""
    weighted, shares = get_loss("cross_entropy")(RECIPE, WEIGHTS), as_shares(LABELS, 4)
    assert torch.allclose(weighted(LOGITS, shares), weighted(LOGITS, LABELS))
    assert not torch.allclose(functional.cross_entropy(LOGITS, shares, WEIGHTS), weighted(LOGITS, LABELS))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_bce_is_timm_s(smoothing: float) -> None:
    ours = get_loss("bce")(RECIPE, None)(LOGITS, smooth(LABELS, 4, smoothing))
    assert torch.allclose(ours, BinaryCrossEntropy(smoothing=smoothing)(LOGITS, LABELS))
    soft = as_shares(LABELS, 4) * 0.7 + 0.1
    assert torch.equal(get_loss("bce")(RECIPE, None)(LOGITS, soft), BinaryCrossEntropy()(LOGITS, soft))


def test_bce_weighs_what_holds() -> None:
    """Several labels an image; a class's weight multiplies its loss where it holds, and not where it doesn't."""
    targets = torch.tensor([[1.0, 1, 0, 0]]).expand(6, 4)
    ours = get_loss("bce")(RECIPE, WEIGHTS)(LOGITS, targets)
    by_hand = -(targets * WEIGHTS * LOGITS.sigmoid().log() + (1 - targets) * (1 - LOGITS.sigmoid()).log()).mean()
    assert torch.allclose(ours, by_hand)


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_logits_have_a_loss_in_float32(name: str) -> None:
    loss = LOSSES[name](RECIPE, None)(LOGITS.bfloat16(), LABELS)
    assert loss.dtype == torch.float32
    assert torch.allclose(loss, LOSSES[name](RECIPE, None)(LOGITS, LABELS), rtol=0.02)


def test_an_unknown_name() -> None:
    with pytest.raises(UnknownNameError, match="there is no loss 'cross_entrpy'; did you mean 'cross_entropy'"):
        get_loss("cross_entrpy")


def test_another_one_is_a_function_and_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def squares(recipe: Recipe, class_weights: Tensor | None) -> Loss:
        return lambda logits, targets: (logits - as_shares(targets, logits.shape[1])).square().mean()

    monkeypatch.setitem(LOSSES, "squares", squares)
    assert get_loss("squares")(RECIPE, None)(as_shares(LABELS, 4), LABELS).item() == 0.0
