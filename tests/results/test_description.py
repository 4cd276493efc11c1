from __future__ import annotations

import dataclasses

import pytest
from examples import example_result

from densezoo.index.load import get_spec, load_index
from densezoo.results.accuracies import accuracies
from densezoo.results.description import describe
from densezoo.types import FileHash, WeightSource

SPEC = get_spec("densenet121.tv_in1k")


def section(text: str, title: str) -> list[str]:
    """The lines of a section, without their indent."""
    body = text.partition(f"\n\n{title}\n")[2]
    lines = body.splitlines()
    end = next((i for i, line in enumerate(lines) if line and not line.startswith(" ")), len(lines))
    return [line[2:] for line in lines[:end]]


def test_every_file_and_every_published_figure_of_every_model() -> None:
    for spec in load_index().values():
        text = describe(spec, accuracies(spec, []))
        lines = text.splitlines()
        assert lines[0] == spec.name
        for source in spec.weights:
            assert f"  {source.url or source.path}" in lines
            assert all(f"{stated}" in text for stated in source.stated_hashes)
        for result in spec.reported:
            figures = [str(value) for value in (result.top1, result.top5) if value is not None]
            words = [result.dataset, *figures]
            assert any(all(word in line.split() for word in words) for line in lines), (spec.name, result)
            for reference in filter(None, (result.where, result.note)):
                assert any(line.endswith(f"  {reference}") for line in lines), (spec.name, reference)


def test_what_was_measured_stands_beside_what_is_published() -> None:
    known = example_result(weights_known_by="user", protocol="mmpretrain", top1=75.0)
    lines = section(describe(SPEC, accuracies(SPEC, [example_result(), known])), "Accuracy")
    header = lines[0].split()
    assert header[-6:] == ["see", "measured", "top-5", "images", "on", "GFLOPs"]
    (own,) = (line.split() for line in lines if "74.434" in line)
    assert own[-5:] == ["74.43", "91.97", "50,000", "2026-11-20", "2.83"]
    (beside,) = (line.split() for line in lines if "75.00" in line)
    assert beside[:2] == ["imagenet1k", "mmpretrain"]
    assert any(line.startswith("[b] no hash says whose the weights are") for line in lines)


def test_flops_are_those_of_each_figure_s_image_size() -> None:
    spec = get_spec("densenet121.ra_in1k")
    text = describe(spec, accuracies(spec, []))
    gflops = {line.split()[1]: line.split()[-1] for line in section(text, "Accuracy") if "imagenet1k" in line}
    assert (gflops["timm-288"], gflops["timm"]) == ("4.68", "2.83")
    assert "  FLOPs at 288 px: 4,684,374,016 (torchvision), 4,736,172,544 (timm).\n" in text


@pytest.mark.parametrize(
    ("source", "said", "checks"),
    [
        (
            WeightSource("torch", "pickle", url="u", file_size=1, sha256="ab" * 32),
            "its size, the sha256 abab",
            "size and s",
        ),
        (
            WeightSource("torch", "pickle", url="u", hash_prefix="12345678"),
            "a sha256 that begins with 12345678",
            "8 digits",
        ),
        (WeightSource("keras", "h5", url="u", hashes=(FileHash(md5="c" * 32),)), "the md5 cccc", "md5"),
        (
            WeightSource("keras", "h5", url="u", file_size=7),
            "its size, the sha256 that it had at its first use, as",
            "size",
        ),
        (
            WeightSource("keras", "h5", url="u"),
            "the sha256 that it had at its first use, as no hash of it is",
            "nothing",
        ),
    ],
)
def test_what_is_checked_of_a_file(source: WeightSource, said: str, checks: str) -> None:
    text = describe(dataclasses.replace(SPEC, weights=(source,)), [])
    assert f"    checked against: {said}" in text
    assert source.checks.startswith(checks)


def test_without_a_file_that_can_be_had_it_says_so() -> None:
    withdrawn = WeightSource("torch7", "t7", url="u", withdrawn="2024-01-09")
    unreadable = WeightSource("torch7", "t7", url="v", not_loadable="no reader")
    text = describe(dataclasses.replace(SPEC, weights=(withdrawn, unreadable)), [])
    assert "    withdrawn: 2024-01-09\n" in text
    assert "    not loadable: no reader\n" in text
    use = section(text, "How to use it")
    assert use[0] == "No file of it can be had and read; create_model gives it random weights."
    assert not any("pretrained=True" in line for line in use)
    assert any("pretrained=True" in line for line in section(describe(SPEC, []), "How to use it"))


def test_the_card_s_quotation_is_left_out() -> None:
    assert section(describe(SPEC, []), "Architecture")[0].startswith(
        "A DenseNet of growth rate 32: dense blocks of 6, 12"
    )


def test_what_the_outputs_stand_for() -> None:
    text = describe(SPEC, [], None, ["tench", "goldfish", "shark", *"abcdefgh", "toilet tissue"])
    assert ", 1,000 classes: tench, goldfish, shark, ... toilet tissue.\n" in text
    assert 'names = densezoo.class_names("densenet121.tv_in1k")' in text
    assert "classes: cat, dog." in describe(SPEC, [], None, ["cat", "dog"])
    nameless = describe(SPEC, [])
    assert ", 1,000 classes.\n" in nameless
    assert "class_names" not in nameless


@pytest.mark.parametrize("width", [80, 120])
def test_it_is_folded_to_the_terminal(width: int) -> None:
    for name in ("densenet121.ra_in1k", "densenet161.tv_in1k", "densenet121.mindvision_in1k"):
        spec = get_spec(name)
        text = describe(spec, accuracies(spec, []), width)
        long = [line for line in text.partition("\n\nHow to use it")[0].splitlines() if len(line) > width]
        assert all("https://" in line for line in long)  # a link is never cut
        unfolded = describe(spec, accuracies(spec, []))
        assert {word for line in unfolded.splitlines() for word in line.split() if "https" in word} <= set(text.split())
