from __future__ import annotations

import ast
import dataclasses
import re

import pytest

import densezoo
from densezoo.families.densenet.architecture import Stem
from densezoo.index.listing import shown
from densezoo.index.load import load_index
from densezoo.paths import ROOT
from densezoo.results.cards import model_card, model_cards
from densezoo.results.cells import protocol_label

SPECS = load_index()
FILES = model_cards(SPECS.values())
CARDS = {name.removesuffix(".md"): text for name, text in FILES.items() if name.endswith(".md") and name != "index.md"}


def test_a_card_and_a_picture_for_every_architecture() -> None:
    architectures = {spec.arch for spec in SPECS.values()}
    assert set(CARDS) == architectures
    assert set(FILES) == {"index.md", *(f"{arch}{end}" for arch in architectures for end in (".md", ".svg"))}
    for arch, card in CARDS.items():
        assert card.startswith(f"# {arch}\n"), arch
        assert f"]({arch}.svg)" in card, arch
        assert f"[{arch}]({arch}.md)" in FILES["index.md"], arch
        for heading in ("## Weights", "## Use", "## Citation"):
            assert f"\n{heading}\n" in card, (arch, heading)


def test_no_card_is_over_12_kb() -> None:
    assert {arch: len(card.encode()) for arch, card in CARDS.items() if len(card.encode()) > 12_000} == {}


def test_a_card_has_a_row_a_model_with_its_own_figure_and_licence() -> None:
    for spec in SPECS.values():
        (row,) = (line for line in CARDS[spec.arch].splitlines() if line.startswith(f"| {spec.name} |"))
        assert spec.license is None or f"| {spec.license} |" in row
        if spec.headline is not None and spec.headline.top1 is not None:
            assert f"| {shown(spec.headline.top1)} | {protocol_label(spec.headline)} |" in row


def test_every_paper_is_cited() -> None:
    for spec in SPECS.values():
        assert spec.paper is None or spec.paper in CARDS[spec.arch].partition("## Citation")[2], spec.name
    report = "\n- densenet_cosine_264_k48.lua_in1k: https://arxiv.org/abs/1707.06990\n"
    assert CARDS["densenet_cosine_264_k48"].endswith(report)
    assert "a paper of their own" not in CARDS["densenet169"]


def test_the_snippets_are_python() -> None:
    for arch, card in CARDS.items():
        snippets = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
        assert len(snippets) == (3 if "pretrained=True" in card else 2), arch
        for snippet in snippets:
            ast.parse(snippet)


def test_an_example_names_the_classes_of_its_model() -> None:
    for card in CARDS.values():
        for name in re.findall(r'^spec = densezoo.get_spec\("(.*)"\)$', card, re.MULTILINE):
            assert len(densezoo.class_names(name)) == SPECS[name].architecture.num_classes


def test_the_example_of_the_network_that_ships_predicts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", CARDS["densenet_bc_22_8"], re.DOTALL):
        exec(block, names)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0].endswith("% 8")  # the last of scikit-learn's digits
    assert float(lines[0].partition("%")[0]) > 50


def test_networks_without_weights_say_so_and_predict_nothing() -> None:
    assert "what `create_model` gives has random ones" in CARDS["densenet264d"]
    for arch, card in CARDS.items():
        assert ("topk(5)" in card) == ("pretrained=True" in card), arch
    assert "pretrained=True" in CARDS["densenet121"]


def test_small_images_have_their_size_in_the_example() -> None:
    assert "load_digits" in CARDS["densenet_bc_22_8"]
    assert "32 x 32 pixels" in CARDS["densenet_bc_100_12"]
    assert "load_sample_image" in CARDS["densenet121"]


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
    card = model_card("x", [spec])
    assert f"dense blocks of 6, 12, 24 and 16 layers after {said}" in card
    assert ("at 1/2, 1/4, 1/8, 1/16, 1/32 of" if stem in ("imagenet", "deep") else "at 1/1, 1/1, 1/2, 1/4, 1/8") in card
