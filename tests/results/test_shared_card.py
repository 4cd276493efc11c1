"""The card of shared weights (that its code runs: tests/api/test_publishing.py)."""

from __future__ import annotations

import dataclasses

from huggingface_hub import ModelCard, ModelCardData

from densezoo.index.load import get_spec
from densezoo.paths import RESULTS
from densezoo.results.shared_card import Shared, shared_card
from densezoo.results.store import read_results

RESULT = next(result for result in read_results(RESULTS) if result.dataset == "digits")
ARCH = get_spec("densenet_bc_22_8.densezoo_digits").architecture
SHARED = Shared("tiny", "hf-hub:me/tiny", "model.safetensors", 149_280, RESULT.weights_sha256, ARCH, "digits")


def test_with_nothing_else_known() -> None:
    card = shared_card(SHARED)
    data = ModelCard(card, ignore_metadata_errors=False).data
    assert isinstance(data, ModelCardData)
    assert (data.license, data.eval_results, data.library_name) == (None, None, "densezoo")
    assert f"| model.safetensors | 149,280 | {RESULT.weights_sha256} |" in card
    assert "densezoo predict hf-hub:me/tiny picture.png\n```" in card
    assert "under the protocol `digits`.\n\n## Citation" in card
    for words in ("## Accuracy", "## Training", "densezoo test"):
        assert words not in card


def test_with_all_that_may_be_known() -> None:
    more = dataclasses.replace(
        SHARED, results=[(RESULT, "r.json")], classes=["cat", "dog"], recipe={"epochs": 3}, dataset="imagefolder",
        protocol="mine~0123456789ab",
    )  # fmt: skip
    card = shared_card(more)
    low, high = RESULT.interval95
    for words in (
        f"| digits | digits | {RESULT.top1:.2f} | {low:.2f} to {high:.2f} |",
        "[r.json](r.json).",
        "| epochs | 3 |",
        "densezoo test hf-hub:me/tiny --data-root DATA\n",
        "`mine~0123456789ab`, which the file states whole and [protocol.yml](protocol.yml) explains.",
        "The 2 outputs are: cat, dog.",
    ):
        assert words in card, words
    assert "whose weights these are" not in card
    other = shared_card(dataclasses.replace(more, sha256="0" * 64, results=[(RESULT, "")], dataset="digits"))
    assert f"Measured of the file with the sha256 {RESULT.weights_sha256}, whose weights these are to the bit." in other
    assert "densezoo test hf-hub:me/tiny\n" in other
