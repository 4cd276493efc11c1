from __future__ import annotations

import ast
import dataclasses
import re

import pytest
from examples import example_result

from densezoo.families.densenet.architecture import Stem
from densezoo.index.listing import shown
from densezoo.index.load import load_index
from densezoo.results.cards import model_card, model_cards
from densezoo.results.tables import published_by_protocol

SPECS = load_index()
CARDS = model_cards(SPECS.values(), [])


def test_a_card_for_every_architecture() -> None:
    assert set(CARDS) == {spec.arch for spec in SPECS.values()}
    for arch, card in CARDS.items():
        assert card.startswith(f"# {arch}\n"), arch
        for heading in ("## Results", "## Weights", "## Use", "## Citation"):
            assert f"\n{heading}\n" in card, (arch, heading)


def test_a_card_has_every_published_figure_file_and_note() -> None:
    for spec in SPECS.values():
        card = CARDS[spec.arch]
        for result in spec.reported:
            protocol = "[+]".join(filter(None, [result.protocol or "not known", result.tta]))
            figures = (
                rf"{'' if result.top1 is None else shown(result.top1)} +\| {shown(result.top5) if result.top5 else ''}"
            )
            assert re.search(rf"\| {spec.name} +\| .*\| {protocol} +\| {figures} ", card), (spec, result)
            assert (result.note or "") in card
        for source in spec.weights:
            assert (source.url or source.path or "") in card


def test_what_is_measured_stands_beside_what_is_published() -> None:
    card = model_cards(SPECS.values(), [example_result()])["densenet121"]
    (line,) = (line for line in card.splitlines() if "IMAGENET1K_V1 _metrics" in line)
    assert "| 74.434 " in line
    assert "| 74.43 (74.05 to 74.81) |" in line


def test_the_snippets_are_python() -> None:
    for card in CARDS.values():
        snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
        assert len(snippets) == 4
        for snippet in snippets:
            ast.parse(snippet)


def test_networks_without_weights_say_so() -> None:
    assert "No weights are published." in CARDS["densenet264d"]
    assert "Nothing is published, and nothing was measured." in CARDS["densenet264d"]
    assert "pretrained=False" in CARDS["densenet264d"]
    assert "pretrained=True" in CARDS["densenet121"]


def test_the_seven_published_accuracies_of_one_training() -> None:
    header, _, *rows = published_by_protocol("imagenet1k", SPECS).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in (header, *rows)]
    assert dict(zip(cells[0], cells[1])) == {
        "weights": "densenet121.lua_in1k",
        "torch7": "75.0",
        "keras": "74.972",
        "mmpretrain": "74.96",
        "caffe": "74.91",
        "mxnet": "74.84",
        "timm": "74.750",
        "torchvision": "74.434",
    }
    assert [row[0] for row in cells[1:]] == [f"densenet{size}.lua_in1k" for size in (121, 161, 169, 201)]


@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("imagenet", "a 7x7 convolution of stride 2.\n"),
        ("deep", "three 3x3 convolutions, the first of stride 2.\n"),
        ("cifar", "a single 3x3 convolution.\n"),
        ("cifar_norm", "a single 3x3 convolution with norm and ReLU.\n"),
    ],
)
def test_every_stem_has_a_card(stem: Stem, said: str) -> None:
    spec = SPECS["densenet121.tv_in1k"]
    spec = dataclasses.replace(spec, architecture=dataclasses.replace(spec.architecture, stem=stem))
    card = model_card("x", [spec], [])
    assert f"dense blocks of 6, 12, 24 and 16 layers after {said}" in card
    assert ("at 1/2, 1/4, 1/8, 1/16, 1/32 of" if stem in ("imagenet", "deep") else "at 1/1, 1/1, 1/2, 1/4, 1/8") in card
