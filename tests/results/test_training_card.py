"""The card of a trained network: what the hub's own package reads, and code that runs."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from huggingface_hub import ModelCard, ModelCardData
from PIL import Image

from densezoo import api
from densezoo.config import load_config
from densezoo.paths import RESULTS
from densezoo.results.store import read_results
from densezoo.results.training_card import Trained, class_list, recipe_table, training_card

CONFIG, WEIGHTS = api.DEMO
TRAINED = Trained(
    name="mine",
    path=WEIGHTS.name,
    size=169_000,
    sha256="ab" * 32,
    architecture=load_config(CONFIG).model,
    dataset="digits",
    protocol="digits",
    command="densezoo train configs/digits/mine.py --cfg-options train.lr=0.2",
    recipe={
        "epochs": 30,
        "lr": 0.2,
        "milestones": [15, 25],
        "ema": None,
        "distillation": {"teacher": "t", "weight": 0.5},
    },
    started_from=None,
    classes=[str(digit) for digit in range(10)],
    epochs=30,
    steps=840,
    seconds=1234.4,
    machine="a machine, 2 cores",
    curves="curves.png",
)
RESULT = next(result for result in read_results(RESULTS) if result.dataset == "digits")


@pytest.fixture(scope="module")
def card() -> str:
    return training_card(TRAINED, RESULT, "results/digits/mine@digits.json")


def test_the_hub_s_own_package_reads_its_figures(card: str) -> None:
    data = ModelCard(card, ignore_metadata_errors=False).data
    assert isinstance(data, ModelCardData)
    assert (data.model_name, data.pipeline_tag, data.datasets, data.license) == (
        "mine",
        "image-classification",
        ["digits"],
        None,
    )
    entries = data.eval_results or []
    assert [(entry.metric_name, entry.metric_value) for entry in entries] == [
        ("Top 1 Accuracy", RESULT.top1),
        ("Top 5 Accuracy", RESULT.top5),
    ]
    assert [entry.metric_args["interval95"] for entry in entries if entry.metric_args] == [
        list(RESULT.interval95),
        list(RESULT.interval95_top5),
    ]


def test_it_says_what_it_is_what_it_scores_and_how_it_was_made(card: str) -> None:
    low, high = RESULT.interval95
    for line in (
        "# mine",
        f"| {WEIGHTS.name} | 169,000 | {'ab' * 32} |",
        f"| digits | digits | {RESULT.top1:.2f} | {low:.2f} to {high:.2f} | {RESULT.top5:.2f} | 899 |",
        "![Loss, accuracy and learning rate of the training](curves.png)",
        TRAINED.command,
        "30 epochs, 840 steps, begun with random weights; its steps took 1,234 s on a machine, 2 cores.",
        "| milestones | 15, 25 |",
        "| ema | none |",
        "| distillation | teacher t, weight 0.5 |",
        "The 10 outputs are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9.",
    ):
        assert line in card.splitlines(), line
    assert "densezoo train. Choose a licence" in card


def test_its_code_runs(card: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / WEIGHTS.name).symlink_to(WEIGHTS)
    Image.new("L", (8, 8), 100).save("image.png")
    names: dict[str, object] = {}
    exec(code, names)
    assert names["probabilities"].shape == (10,)  # type: ignore[attr-defined]


def test_without_a_picture_and_with_other_weights_to_begin_with() -> None:
    other = dataclasses.replace(
        TRAINED,
        dataset="digits-32",
        curves=None,
        started_from="densenet121.tv_in1k",
        classes=[str(n) for n in range(99)],
    )
    card = training_card(other, RESULT, "r.json")
    assert "![" not in card
    assert "--data-root" not in card
    assert "begun with the weights of densenet121.tv_in1k" in card
    assert "The 99 outputs are: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ... 98." in card


def test_names_from_a_file_are_text_and_nothing_more() -> None:
    names = ["<script>alert(1)</script>", "a\n\n# b", "[x](javascript:y)", "tiger_cat", "_c_ & *d*"]
    told = r"&lt;script&gt;alert(1)&lt;/script&gt;, a # b, \[x\](javascript:y), tiger_cat, \_c\_ &amp; \*d\*"
    assert class_list(names) == f"The 5 outputs are: {told}.\n\n"
    start = {"weights": "a.b", "adapt_in_chans": False, "freeze": ("stem", "head"), "lr_scales": {}}
    assert recipe_table({"start": start}).splitlines()[2:] == ["| start | weights a.b, freeze stem, head |"]
    (line,) = recipe_table({"distillation": {"teacher": "t", "protocol": None, "weight": 0.0}}).splitlines()[2:]
    assert line == "| distillation | teacher t, weight 0.0 |"
    assert recipe_table({"a\nb": "<i>|\n# c"}).splitlines()[2:] == [r"| a b | &lt;i&gt;\| # c |"]
