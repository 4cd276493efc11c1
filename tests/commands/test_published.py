"""tools/test.py beside what is published and what was expected, and with test-time augmentation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from densezoo import api
from densezoo.data.datasets import open_dataset

Run = Callable[..., int]


@pytest.fixture
def run(tool: Callable[..., int], tmp_path: Path) -> Run:
    """The digits network (98.44 %: 885 of 899)."""
    fixed = ("--workers", 0, "--device", "cpu", "--batch-size", 899, "--out", tmp_path)
    return lambda *options: tool("test", *api.DEMO, *fixed, *options)


def test_the_end_says_what_is_published(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert "  published: nothing for this network on this dataset\n" in capsys.readouterr().out


@pytest.mark.parametrize(("top1", "tolerance", "status"), [(98.44, 0.01, 0), (98.44, 0.001, 1), (98.5, 0.01, 1)])
def test_an_expectation_is_an_exit_status(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str], top1: float, tolerance: float, status: int
) -> None:
    assert run("--expect", top1, "--tolerance", tolerance) == status
    error = capsys.readouterr().err.splitlines()[-1:]
    if status:
        expected = f"error: expected a top-1 of {top1:g} within {tolerance:g}; found 98.4427 under digits (885 of 899)"
        assert error == [expected]
    assert len(list(tmp_path.glob("digits/*.json"))) == 1  # stored all the same


def test_flip_sums_the_logits_and_is_named(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--tta", "flip") == 0
    assert "protocol digits+flip" in capsys.readouterr().out
    (path,) = tmp_path.glob("digits/*@digits+flip.json")
    result = json.loads(path.read_text())
    assert result["tta"] == "flip"

    images, protocol = open_dataset("digits", None), api.get_protocol("digits").protocol
    pixels = torch.stack([torch.from_numpy(images.read(i).copy())[None] for i in range(len(images))])  # type: ignore[union-attr]
    x = (pixels.float() / 255 - protocol.mean[0]) / protocol.std[0]
    network, _ = api.load_checkpoint(api.DEMO[1])
    with torch.inference_mode():
        predicted = (network(x) + network(x.flip(3))).argmax(1)
    assert result["correct1"] == int((predicted == torch.tensor(images.labels)).sum())
    assert result["correct1"] != 885


def test_views_that_the_protocol_has_no_room_for(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--tta", "ten-crop") == 1
    assert "--tta ten-crop needs a protocol that resizes and crops; digits takes" in capsys.readouterr().err
    assert run("--tta", "ten") == 1
    assert "there is no test-time augmentation 'ten'" in capsys.readouterr().err
