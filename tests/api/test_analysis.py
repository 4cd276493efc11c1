"""Files of predictions, written by hand, and what is computed of them anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from examples import example_facts

from densezoo import api
from densezoo.api.analysis import analysis
from densezoo.errors import ConfigError, EvaluationError, UnknownNameError
from densezoo.evaluation.metrics import RECORD
from densezoo.evaluation.predictions import write_predictions
from densezoo.formats.safetensors import write_safetensors


def predictions(path: Path, ranks: list[int], model: str, classes: int = 6) -> Path:
    """A run over as many images of label 0, in each of which that label has this rank."""
    records = np.zeros(len(ranks), RECORD)
    records["index"], records["rank"] = range(len(ranks)), ranks
    records["classes"][:, 0] = [int(rank > 0) for rank in ranks]
    write_predictions(path, [records], [f"{i}.png" for i in range(len(ranks))], example_facts(model=model), classes)
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return predictions(tmp_path / "first.parquet", [0, 0, 0, 1, 5], "one")


def test_accuracies_are_counted_anew(first: Path) -> None:
    lines = api.analyze(first, topk=[1, 2, 5, 6]).splitlines()
    assert lines[0] == "one on imagenet1k, protocol torchvision, 5 images"
    shares = {line.split()[0]: (line.split()[1], line.split("  ")[-1]) for line in lines[1:5]}
    assert shares == {
        "top-1": ("60.00", "3 of 5 images"),
        "top-2": ("80.00", "4 of 5 images"),
        "top-5": ("80.00", "4 of 5 images"),
        "top-6": ("100.00", "5 of 5 images"),
    }


def test_another_run_is_compared_below(first: Path, tmp_path: Path) -> None:
    other = predictions(tmp_path / "other.parquet", [0, 1, 1, 1, 0], "two")
    text = api.analyze(first, other)
    assert text.startswith(api.analyze(first) + "\n\nfirst:  one, protocol torchvision\nsecond: two, ")
    assert "right in both 1, only in the first 2, only in the second 1, in neither 1" in text


@pytest.mark.parametrize("topk", [[0], [7], [1, -1]])
def test_a_k_that_there_is_not(first: Path, topk: list[int]) -> None:
    with pytest.raises(ConfigError) as caught:
        api.analyze(first, topk=topk)
    assert str(caught.value) == f"--topk is {topk}; expected numbers from 1 to 6, the number of classes"


def test_a_plot_is_drawn_beside_the_text(first: Path, tmp_path: Path) -> None:
    assert api.analyze(first, plot=tmp_path / "p.svg") == api.analyze(first)
    assert "<!-- one, torchvision -->" in (tmp_path / "p.svg").read_text()


def test_a_plot_s_extension_is_held_first_and_nothing_is_drawn_of_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="p.tiff: the extension says what is written"):
        api.analyze(tmp_path / "none.parquet", plot=tmp_path / "p.tiff")
    with pytest.raises(
        EvaluationError, match=r"none.parquet: there is no such file; densezoo test --predictions makes one"
    ):
        api.analyze(tmp_path / "none.parquet", plot=tmp_path / "p.svg")
    assert not list(tmp_path.iterdir())


def test_the_classes_names_reach_text_and_matrix(first: Path, tmp_path: Path) -> None:
    names = ["cat", "dog", "cow", "hen", "pig", "yak"]
    text = api.analyze(first, confusion=tmp_path / "c.svg", class_names=names)
    assert "    class 0 (cat) taken for 1 (dog): 2 images" in text
    assert "<!-- yak -->" in (tmp_path / "c.svg").read_text()
    with pytest.raises(ConfigError, match="expected 6 class names, one an output, found 1"):
        api.analyze(first, class_names=["cat"])
    with pytest.raises(UnknownNameError, match="there is no theme 'drak'; did you mean 'dark'"):
        api.analyze(first, theme="drak")


def test_the_names_that_weights_state_are_kept_with_the_predictions(tmp_path: Path) -> None:
    network, _ = api.load_checkpoint(api.DEMO[1])
    names = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
    facts = {"class_names": names, "protocol": "digits", "dataset": "digits"}
    write_safetensors(tmp_path / "a.safetensors", network.state_dict(), facts)
    path = tmp_path / "a.parquet"
    api.evaluate_checkpoint(None, tmp_path / "a.safetensors", predictions=path, device="cpu", workers=0)
    read = analysis(tmp_path / "a.parquet")
    assert "class 8 (acht): " in read.text
    assert read.values["classes"][5]["name"] == "fünf"  # type: ignore[index]
    other = names[::-1]
    assert "class 8 (eins): " in api.analyze(tmp_path / "a.parquet", class_names=other)
